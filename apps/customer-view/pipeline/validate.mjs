// The step `validate`: what is sound goes on, what is broken goes to the queue of rejected records with the reason.
import { batch, isSuppressed, keyOf, parse, Problem } from "./records.mjs";
import { check, checkEnvelope } from "./schemas.mjs";
import { boundTo, open, token } from "./seal.mjs";

const MAX_BYTES = 1_000_000;

export async function handler(event) {
  const now = Date.now();
  return batch(event, "validate", "view.valid", (record) => sound(record, now));
}

// The record; undefined when its account was erased.
async function sound(record, now) {
  if (record.value.length * 0.75 > MAX_BYTES) throw new Problem("too-large", `the record has more than ${MAX_BYTES} bytes`);
  const value = parse(Buffer.from(record.value, "base64").toString("utf8"), "not-json", "the record");
  checkEnvelope(value, record.topic, record.key && Buffer.from(record.key, "base64").toString("utf8"), now);
  const own = token(value.source, value.account);
  if (value.sealed.key !== own) throw new Problem("wrong-key", "field `sealed.key`: not the account's token");
  if (await isSuppressed(own)) return undefined;
  const key = await keyOf(value.source, own);
  if (!key) {
    // The key may have been destroyed between the two looks.
    if (await isSuppressed(own)) return undefined;
    throw new Problem("wrong-key", "field `sealed.key`: there is no such key");
  }
  check(value.schema, parse(opened(key, value), "wrong-type", "the personal part"));
  return value;
}

function opened(key, value) {
  try {
    return open(key, boundTo(value), value.sealed);
  } catch {
    throw new Problem("not-opened", "field `sealed`: does not open with the account's key");
  }
}
