import assert from "node:assert/strict";
import { test } from "node:test";
import { holderOf, sessionCookie, staffOf } from "../token.mjs";

process.env.STAFF_TOKENS = "officer=correct horse, agent=battery=staple";

const event = ({ authorization, cookie, method = "GET", ...headers } = {}) => ({
  headers: { ...(authorization && { authorization }), ...headers },
  cookies: cookie ? [cookie.split(";")[0]] : [],
  requestContext: { http: { method } },
});
const refuses = (status, code, asked) => assert.throws(() => staffOf(asked), { status, code });

test("a token is its holder; none is 401, a wrong one 403", () => {
  assert.equal(holderOf("correct horse"), "officer");
  assert.equal(staffOf(event({ authorization: "Bearer battery=staple" })), "agent");
  refuses(401, "TokenMissing", event());
  refuses(401, "TokenMissing", event({ authorization: "Basic Og==" }));
  refuses(403, "TokenWrong", event({ authorization: "Bearer correct" }));
  assert.throws(() => holderOf(""), { status: 403 });
});

test("without any token set nobody gets in", () => {
  const set = process.env.STAFF_TOKENS;
  process.env.STAFF_TOKENS = "";
  refuses(403, "TokenWrong", event({ authorization: "Bearer undefined" }));
  process.env.STAFF_TOKENS = "officer=";
  assert.throws(() => holderOf(""), { status: 403 });
  process.env.STAFF_TOKENS = set;
});

test("a session stands for the token: not for another name, not for longer, not after the token changed", () => {
  const cookie = sessionCookie("officer", event());
  assert.equal(staffOf(event({ cookie })), "officer");
  assert.match(cookie, /HttpOnly; SameSite=Strict$/);
  const [, until, signature] = cookie.split(/[.;]/);
  refuses(401, "SessionEnded", event({ cookie: `customer-view-desk=${Buffer.from("agent").toString("base64url")}.${until}.${signature}` }));
  refuses(401, "SessionEnded", event({ cookie: cookie.replace(until, String(Number(until) + 1)) }));
  refuses(401, "SessionEnded", event({ cookie: sessionCookie("officer", event(), Date.now() - 9 * 60 * 60 * 1000) }));
  refuses(401, "SessionEnded", event({ cookie: "customer-view-desk=" }));
  const set = process.env.STAFF_TOKENS;
  process.env.STAFF_TOKENS = "officer=another";
  refuses(401, "SessionEnded", event({ cookie }));
  process.env.STAFF_TOKENS = set;
});

test("behind TLS the cookie is for TLS alone", () => {
  assert.match(sessionCookie("officer", event({ "x-forwarded-proto": "https" })), /; Secure$/);
});

test("a session changes nothing without the header that forms cannot send", () => {
  const cookie = sessionCookie("officer", event());
  refuses(403, "HeaderMissing", event({ cookie, method: "POST" }));
  assert.equal(staffOf(event({ cookie, method: "POST", "x-desk": "1" })), "officer");
});
