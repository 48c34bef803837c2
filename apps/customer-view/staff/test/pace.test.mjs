import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { test } from "node:test";
import { limitOf, networkOf, taken } from "../pace.mjs";
import { holderOf, staffOf } from "../token.mjs";

const NOON = Date.parse("2026-03-01T12:00:00Z");

test("a source tries so many wrong tokens within the hour that begins with the first", () => {
  let count;
  for (let tries = 0; tries < 30; tries++) count = taken(count, NOON + tries);
  assert.deepEqual(count, { format: 1, since: "2026-03-01T12:00:00Z", count: 30 });
  assert.equal(taken(count, NOON + 59 * 60_000), undefined);
  assert.equal(taken(count, NOON + 60 * 60_000).count, 1);
});

test("what is one source, as requests/tests/test_pace.py has it", () => {
  const cases = JSON.parse(readFileSync(new URL("networks.json", import.meta.url), "utf8"));
  for (const [source, network] of Object.entries(cases)) assert.equal(networkOf(source) ?? null, network, source);
});

test("a limit is a number", () => {
  for (const [text, limit] of [[undefined, 30], ["", 30], ["7", 7], ["0", 0]]) assert.equal(limitOf({ REQUESTS_PER_SOURCE: text }), limit);
  for (const text of ["many", "-1", "3.5", "1e3", " 7", "٣", "1".repeat(10)]) {
    assert.throws(() => limitOf({ REQUESTS_PER_SOURCE: text }), /^Error: set REQUESTS_PER_SOURCE:/, text);
  }
});

test("a right token is let in whatever others tried from there; loopback is not counted", async () => {
  const stored = new Map();
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const piece of request) body += piece;
    if (request.method === "PUT") stored.set(request.url, body);
    response.statusCode = stored.has(request.url) ? 200 : 404;
    response.setHeader("etag", '"one"').end(stored.get(request.url));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: `http://127.0.0.1:${server.address().port}`, AWS_REGION: "us-east-1", AWS_ACCESS_KEY_ID: "key", AWS_SECRET_ACCESS_KEY: "secret",
    CUSTOMER_VIEW_PEPPER: "pepper", REQUESTS_BUCKET: "requests", STAFF_TOKENS: "officer=right",
  });
  const from = (sourceIp, token) => ({ headers: token && { authorization: `Bearer ${token}` }, requestContext: { http: { method: "GET", sourceIp } } });
  const refused = (source, status, code) => assert.rejects(staffOf(from(source, "guess")), { status, code });
  try {
    for (let tries = 0; tries < 30; tries++) await refused(`2001:db8::${tries}`, 403, "TokenWrong");
    await refused("2001:db8::99", 429, "TooMany");
    await assert.rejects(holderOf("guess", from("2001:db8::99")), { status: 429 });
    assert.equal(await staffOf(from("2001:db8::99", "right")), "officer");
    assert.equal(await holderOf("right", from("2001:db8::99")), "officer");
    await refused("2001:db8:0:1::", 403, "TokenWrong");
    for (let tries = 0; tries < 40; tries++) await refused("127.0.0.1", 403, "TokenWrong");
    assert.deepEqual([...stored.keys()].map((path) => path.replace(/[0-9a-f]{32}/, "…")), ["/requests/pace/token/….json", "/requests/pace/token/….json"]);
    // the same name as in requests/service/pace.py: tries here and there are counted together
    assert.ok(stored.has("/requests/pace/token/5263ab08750b4741095781a20788e93e.json"), [...stored.keys()].join(" "));
  } finally {
    server.close();
  }
});
