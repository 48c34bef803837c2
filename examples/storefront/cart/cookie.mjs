// The cart lives with the visitor, in a cookie that is signed so that only we can write it.
import { createHmac, timingSafeEqual } from "node:crypto";

const NAME = "storefront-cart";
const ONE_WEEK = 7 * 24 * 60 * 60;

const sign = (text) => createHmac("sha256", process.env.CART_SECRET).update(text).digest("base64url");

/** The cart in the request's cookies, or undefined if there is none that we signed. */
export function readCart(event) {
  const cookie = (event.cookies ?? []).find((candidate) => candidate.startsWith(`${NAME}=`));
  const [payload, signature] = (cookie ?? "").slice(NAME.length + 1).split(".");
  if (!payload || !signature) return undefined;

  const expected = Buffer.from(sign(payload));
  const given = Buffer.from(signature);
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
  return JSON.parse(Buffer.from(payload, "base64url").toString("utf8"));
}

/** The value of a Set-Cookie header that stores `cart`. */
export function cartCookie(cart) {
  const payload = Buffer.from(JSON.stringify(cart)).toString("base64url");
  return `${NAME}=${payload}.${sign(payload)}; Path=/; Max-Age=${ONE_WEEK}; HttpOnly; SameSite=Lax`;
}
