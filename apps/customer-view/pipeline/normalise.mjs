// The step `normalise`: the records of five systems in one form.
import { each, entry, isSuppressed, keyOf, records, write } from "./records.mjs";
import { boundTo, open, seal, token } from "./seal.mjs";
import { normal } from "./normal.mjs";

export async function handler(event) {
  const written = records(event).filter(({ value }) => value != null);
  const made = await each(written, ({ key }) => key ?? "", normalise);
  const kept = made.filter(Boolean);
  await write(kept.map((value) => entry("normalise", "view.normal", value.account, value)));
  return { normal: kept.length, dropped: made.length - kept.length };
}

// The record in the one form; undefined when its account was erased.
async function normalise(record) {
  const value = JSON.parse(Buffer.from(record.value, "base64").toString("utf8"));
  const own = token(value.source, value.account);
  const key = await keyOf(value.source, own);
  if (await isSuppressed(own)) return undefined;
  if (!key) throw new Error(`the key ${value.source}/${own} is gone, and its account is not suppressed`);
  const part = normal(value.schema, JSON.parse(open(key, boundTo(value), value.sealed)));
  const sealed = seal(key, own, boundTo(value), JSON.stringify(part));
  return { ...value, schema: "view.normal/1", sealed };
}
