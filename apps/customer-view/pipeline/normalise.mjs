// The step `normalise`: the records of five systems in one form.
import { batch, isSuppressed, keyOf, parse, Problem } from "./records.mjs";
import { boundTo, open, seal, token } from "./seal.mjs";
import { normal } from "./normal.mjs";

export const handler = (event) => batch(event, "normalise", "view.normal", normalise);

// The record in the one form; undefined when its account was erased.
async function normalise(record) {
  const value = parse(Buffer.from(record.value, "base64").toString("utf8"), "not-json", "the record");
  const own = token(value?.source, value?.account);
  if (await isSuppressed(own)) return undefined;
  const key = await keyOf(value?.source, own);
  if (!key) {
    // The key may have been destroyed between the two looks.
    if (await isSuppressed(own)) return undefined;
    throw new Problem("wrong-key", "the key of the account is gone, and the account is not suppressed");
  }
  const part = formed(value, key);
  return { ...value, schema: "view.normal/1", sealed: seal(key, own, boundTo(value), JSON.stringify(part)) };
}

function formed(value, key) {
  let text;
  try {
    text = open(key, boundTo(value), value.sealed);
  } catch {
    throw new Problem("not-opened", "field `sealed`: does not open with the account's key");
  }
  const part = parse(text, "wrong-type", "the personal part");
  try {
    return normal(value.schema, part);
  } catch {
    throw new Problem("wrong-type", "the personal part has no one form");
  }
}
