// Tokens: what stands in the names of objects instead of personal values (MODEL.md, "Tokens").
import "../secrets.mjs";
import { createHmac } from "node:crypto";

/** The token of a value of this kind. */
export const token = (kind, value) =>
  createHmac("sha256", process.env.CUSTOMER_VIEW_PEPPER).update(`${kind}|${value}`).digest("hex").slice(0, 32);

/** The words by which a name is found: small letters without marks, as one would type them. */
export const wordsOf = (name) =>
  [...new Set(
    String(name).normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().replaceAll("ß", "ss").match(/[\p{L}\p{N}]+/gu) ?? [],
  )];

/** An e-mail address as the index has it. */
export const emailOf = (text) => text.trim().toLowerCase();

/** A phone number as the index has it (E.164), or undefined; one without a country is of `country`'s. */
export function phoneOf(text, countryCode = "49") {
  const digits = text.replace(/\(0\)/g, "").replace(/[^\d+]/g, "");
  const number = digits.startsWith("+") ? digits.slice(1)
    : digits.startsWith("00") ? digits.slice(2)
    : digits.startsWith("0") ? countryCode + digits.slice(1)
    : undefined;
  return number && /^\d{7,15}$/.test(number) ? `+${number}` : undefined;
}
