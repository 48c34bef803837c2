// Seals and tokens, as MODEL.md has them.
import "../secrets.mjs";
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from "node:crypto";

// The first 32 digits of a keyed hash: stands for an account or a value.
export const token = (kind, value) =>
  createHmac("sha256", process.env.CUSTOMER_VIEW_PEPPER).update(`${kind}|${value}`).digest("hex").slice(0, 32);

// What the seal of a record is bound to, so that it opens nowhere else.
export const boundTo = ({ source, account, event }) => `${source}|${account}|${event}`;

export function seal(key, name, bound, text, nonce = randomBytes(12)) {
  const cipher = createCipheriv("aes-256-gcm", key, nonce);
  cipher.setAAD(Buffer.from(bound));
  const data = Buffer.concat([cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()]);
  return { key: name, nonce: nonce.toString("base64"), data: data.toString("base64") };
}

// The text; throws when it was sealed with another key, bound to something else, or changed.
export function open(key, bound, sealed) {
  const data = Buffer.from(sealed.data, "base64");
  const decipher = createDecipheriv("aes-256-gcm", key, Buffer.from(sealed.nonce, "base64"), { authTagLength: 16 });
  decipher.setAAD(Buffer.from(bound));
  decipher.setAuthTag(data.subarray(-16));
  return Buffer.concat([decipher.update(data.subarray(0, -16)), decipher.final()]).toString("utf8");
}
