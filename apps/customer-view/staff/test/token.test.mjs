import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { createServer } from "node:http";
import { test } from "node:test";
import { holderOf, officerOf, sessionCookie, staffOf } from "../token.mjs";

process.env.STAFF_TOKENS = "officer=correct horse, agent=battery=staple";

const event = ({ authorization, cookie, method = "GET", ...headers } = {}) => ({
  headers: { ...(authorization && { authorization }), ...headers },
  cookies: cookie ? [cookie.split(";")[0]] : [],
  requestContext: { http: { method } },
});
const refuses = (status, code, asked) => assert.rejects(staffOf(asked), { status, code });

test("a token is its holder; none is 401, a wrong one 403", async () => {
  assert.equal(await holderOf("correct horse"), "officer");
  assert.equal(await staffOf(event({ authorization: "Bearer battery=staple" })), "agent");
  await refuses(401, "TokenMissing", event());
  await refuses(401, "TokenMissing", event({ authorization: "Basic Og==" }));
  await refuses(403, "TokenWrong", event({ authorization: "Bearer correct" }));
  await assert.rejects(holderOf(""), { status: 403 });
});

test("without any token set nobody gets in", async () => {
  const set = process.env.STAFF_TOKENS;
  process.env.STAFF_TOKENS = "";
  await refuses(403, "TokenWrong", event({ authorization: "Bearer undefined" }));
  process.env.STAFF_TOKENS = "officer=";
  await assert.rejects(holderOf(""), { status: 403 });
  const payload = `${Buffer.from("officer").toString("base64url")}.${Math.floor(Date.now() / 1000) + 60}`;
  const forged = createHmac("sha256", "desk session of ").update(payload).digest("base64url");
  await refuses(401, "SessionEnded", event({ cookie: `customer-view-desk=${payload}.${forged}` }));
  process.env.STAFF_TOKENS = set;
});

test("a session stands for the token: not for another name, not for longer, not after the token changed", async () => {
  const cookie = await sessionCookie("officer", event());
  assert.equal(await staffOf(event({ cookie })), "officer");
  assert.match(cookie, /HttpOnly; SameSite=Strict$/);
  const [, until, signature] = cookie.split(/[.;]/);
  await refuses(401, "SessionEnded", event({ cookie: `customer-view-desk=${Buffer.from("agent").toString("base64url")}.${until}.${signature}` }));
  await refuses(401, "SessionEnded", event({ cookie: cookie.replace(until, String(Number(until) + 1)) }));
  await refuses(401, "SessionEnded", event({ cookie: await sessionCookie("officer", event(), Date.now() - 9 * 60 * 60 * 1000) }));
  await refuses(401, "SessionEnded", event({ cookie: "customer-view-desk=" }));
  const set = process.env.STAFF_TOKENS;
  process.env.STAFF_TOKENS = "officer=another";
  await refuses(401, "SessionEnded", event({ cookie }));
  process.env.STAFF_TOKENS = set;
});

test("the officer may do more than the others, and a role stands behind the name", async () => {
  const set = process.env.STAFF_TOKENS;
  const asked = (token) => officerOf(event({ authorization: `Bearer ${token}` }));
  process.env.STAFF_TOKENS = "officer=one,agent=two,anna/officer=three,officer2=four,bea/=five";
  assert.deepEqual(await asked("one"), { name: "officer", role: "officer", token: "one" });
  assert.equal((await asked("three")).name, "anna");
  for (const token of ["two", "four", "five"]) await assert.rejects(asked(token), { status: 403, code: "RoleMissing" });
  assert.equal(await staffOf(event({ authorization: "Bearer two" })), "agent");
  const cookie = await sessionCookie("agent", event());
  await assert.rejects(officerOf(event({ cookie })), { status: 403, code: "RoleMissing" });
  process.env.STAFF_TOKENS = set;
});

test("behind TLS the cookie is for TLS alone", async () => {
  assert.match(await sessionCookie("officer", event({ "x-forwarded-proto": "https" })), /; Secure$/);
});

test("a session changes nothing without the header that forms cannot send", async () => {
  const cookie = await sessionCookie("officer", event());
  await refuses(403, "HeaderMissing", event({ cookie, method: "POST" }));
  assert.equal(await staffOf(event({ cookie, method: "POST", "x-desk": "1" })), "officer");
});

test("tokens come from a secret where there is one, and a minute later from what it is then", async (t) => {
  let tokens = { officer: "first" };
  let reads = 0;
  const server = createServer((request, response) => {
    reads += 1;
    assert.equal(request.headers["x-amz-target"], "secretsmanager.GetSecretValue");
    response.end(JSON.stringify({ SecretString: JSON.stringify(tokens) }));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.mock.timers.enable({ apis: ["Date"], now: 1_000_000 });
  Object.assign(process.env, {
    STAFF_SECRET: "staff", AWS_ENDPOINT_URL: `http://127.0.0.1:${server.address().port}`,
    AWS_REGION: "us-east-1", AWS_ACCESS_KEY_ID: "key", AWS_SECRET_ACCESS_KEY: "secret",
  });
  try {
    assert.equal(await holderOf("first"), "officer");
    tokens = { officer: "second" };
    assert.equal(await holderOf("first"), "officer");
    assert.equal(reads, 1);
    t.mock.timers.setTime(1_000_000 + 60_000);
    await assert.rejects(holderOf("first"), { status: 403 });
    assert.equal(await holderOf("second"), "officer");
    await assert.rejects(holderOf("correct horse"), { status: 403 }, "the variable is not used besides");
  } finally {
    delete process.env.STAFF_SECRET;
    server.close();
  }
});
