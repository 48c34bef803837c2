// The step `validate`: what is sound goes on, what is broken goes to the queue of rejected records with the reason.
import { send } from "./aws.mjs";
import { each, entry, isSuppressed, keyOf, records, write } from "./records.mjs";
import { check, checkEnvelope, Problem } from "./schemas.mjs";
import { boundTo, open, token } from "./seal.mjs";

const MAX_BYTES = 1_000_000;
const MAX_SHOWN = 100_000;

export async function handler(event) {
  const now = Date.now();
  // null is a tombstone: its source has forgotten the account.
  const written = records(event).filter(({ value }) => value != null);
  const judged = await each(written, ({ key }) => key ?? "", (record) => judge(record, now));
  const sound = judged.filter((one) => one.value).map(({ value }) => entry("validate", "view.valid", value.account, value));
  const broken = judged.filter((one) => one.rejected).map(({ rejected }) => rejected);
  await send(process.env.REJECTED_QUEUE_URL, broken);
  await write(sound);
  return { valid: sound.length, rejected: broken.length, dropped: judged.length - sound.length - broken.length };
}

// {value} of a sound record, {rejected} of a broken one, {} of one whose account was erased.
async function judge(record, now) {
  try {
    return { value: await sound(record, now) };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return { rejected: rejection(record, error, now) };
  }
}

async function sound(record, now) {
  if (record.value.length * 0.75 > MAX_BYTES) throw new Problem("too-large", `the record has more than ${MAX_BYTES} bytes`);
  const value = parse(Buffer.from(record.value, "base64").toString("utf8"), "not-json");
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
  check(value.schema, parse(opened(key, value), "wrong-type"));
  return value;
}

function opened(key, value) {
  try {
    return open(key, boundTo(value), value.sealed);
  } catch {
    throw new Problem("not-opened", "field `sealed`: does not open with the account's key");
  }
}

function parse(text, code) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Problem(code, code === "not-json" ? "the record is not JSON" : "the personal part is not JSON");
  }
}

const rejection = ({ topic, partition, offset, key, value }, { code, message }, now) => ({
  reason: message, code, step: "validate", at: new Date(now).toISOString().replace(/\.\d+/, ""),
  topic, partition, offset, key: key ?? null,
  value: Buffer.from(value.slice(0, Math.ceil(MAX_SHOWN / 3) * 4), "base64").subarray(0, MAX_SHOWN).toString("base64"),
});
