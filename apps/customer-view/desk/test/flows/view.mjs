// The view's API on a node that runs it: who may look, what is seen, what is recorded. Started by the end-to-end
// tests (tests/e2e/customer_view_desk.rs) with the address of the API and the buckets in the environment.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { before, test } from "node:test";
import { readTrail } from "../trail.mjs";
import { ADA, ERASED, GOING, MALLORY, MERGED, QUIET, seed } from "../seed.mjs";
import { record, verify } from "../../../staff/audit.mjs";
import { bucket } from "../../../staff/objects.mjs";

const TOKEN = "only-good-on-your-own-machine";

async function call(method, path, { body, token = TOKEN, purpose = "audit" } = {}) {
  const headers = { "content-type": "application/json" };
  if (token) headers.authorization = `Bearer ${token}`;
  if (purpose) headers["x-purpose"] = encodeURIComponent(purpose);
  const response = await fetch(`${process.env.DESK_URL}${path}`, { method, headers, body: body && JSON.stringify(body) });
  return { status: response.status, body: await response.json() };
}

const found = async (body) => {
  const answer = await call("POST", "/persons/search", { body });
  assert.equal(answer.status, 200, JSON.stringify(answer));
  return answer.body.persons.map(({ person }) => person).sort();
};

async function until(what, probe) {
  const end = Date.now() + 60_000;
  while (Date.now() < end) {
    if (await probe()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`waited for ${what}`);
}

before(() => seed());

test("without a token 401, with a wrong one 403, without a purpose 400, and nothing of it is recorded as a look", async () => {
  const path = `/persons/${ADA}`;
  assert.deepEqual(await statusAndError(path, { token: "", purpose: "x" }), [401, "TokenMissing"]);
  assert.deepEqual(await statusAndError(path, { token: "wrong" }), [403, "TokenWrong"]);
  assert.deepEqual(await statusAndError(path, { purpose: "" }), [400, "PurposeMissing"]);
  assert.deepEqual(await statusAndError(path, { purpose: "Ada Weiss asked" }), [400, "PurposeMissing"]);
  assert.equal((await readTrail()).some(({ person }) => person === ADA), false);
});

test("every route but the page, its files and the session asks for a token", async () => {
  const routes = [...readFileSync(new URL("../../../functions-view.yml", import.meta.url), "utf8").matchAll(/httpApi: (\w+) (\S+)/g)];
  const open = new Set(["GET /desk", "GET /desk/assets/{file}", "POST /session", "DELETE /session"]);
  const guarded = routes.map(([, method, path]) => `${method} ${path}`).filter((route) => !open.has(route));
  assert.equal(guarded.length, 15);
  for (const route of guarded) {
    const [method, path] = route.replace("{id}", "r-late1").split(" ");
    const { status, body } = await call(method, path, { token: "", body: method === "GET" ? undefined : {} });
    assert.deepEqual([route, status, body.error], [route, 401, "TokenMissing"]);
  }
});

async function statusAndError(path, options) {
  const { status, body } = await call("GET", path, options);
  return [status, body.error];
}

test("a look at a person is recorded with who, what and why", async () => {
  const { status, body } = await call("GET", `/persons/${ADA}?include=links,timeline,consents`, { purpose: "request r-late1" });
  assert.equal(status, 200);
  assert.equal(body.fields.email.value, "ada.weiss@example.com");
  assert.equal(body.included.links.links[0].score, 0.98);
  assert.deepEqual(body.included.timeline.timeline.map(({ what }) => what), ["consent", "merged", "call", "order", "created"]);
  const last = (await readTrail()).at(-1);
  assert.deepEqual([last.actor, last.action, last.person, last.detail],
    ["officer", "data.read", ADA, { what: "person, links, timeline, consents", why: "request r-late1" }]);
});

test("who was merged is found under the person they became; who is gone or unknown has a name for it", async () => {
  assert.equal((await call("GET", `/persons/${MERGED}`)).body.id, ADA);
  assert.equal((await call("GET", `/persons/${GOING}`)).body.id, ADA);
  const erased = await call("GET", `/persons/${ERASED}`);
  assert.deepEqual([erased.status, erased.body.error, erased.body.erased.request], [410, "PersonErased", "r-erasure0"]);
  assert.deepEqual(await statusAndError(`/persons/p-${"0".repeat(32)}`), [404, "PersonUnknown"]);
  assert.deepEqual(await statusAndError("/persons/..%2Faccounts"), [404, "PersonUnknown"]);
});

test("people are found by e-mail, phone and the words of their names", async () => {
  await until("the index of names", async () => (await found({ name: "weiss" })).length === 3);
  assert.deepEqual(await found({ email: " Ada.Weiss@EXAMPLE.com" }), [ADA]);
  assert.deepEqual(await found({ phone: "030 123456" }), [ADA]);
  assert.deepEqual(await found({ name: "Weiß ADA" }), [ADA]);
  assert.deepEqual(await found({ name: "weiss" }), [ADA, MALLORY, QUIET].sort());
  assert.deepEqual(await found({ name: "nobody" }), []);
  assert.deepEqual(await found({ name: "going" }), []);
  assert.deepEqual((await call("POST", "/persons/search", { body: { name: "a", email: "b" } })).body.error, "SearchWrong");
});

test("who is renamed or removed is found no more by the old name", async () => {
  const data = bucket(process.env.DATA_BUCKET);
  await data.update(`persons/${MALLORY}.json`, (person) => ({ ...person, fields: { ...person.fields, family: { value: "Schwarz" } } }));
  await until("the new name", async () => (await found({ name: "schwarz" })).length === 1);
  assert.equal((await found({ name: "weiss" })).includes(MALLORY), false);
  await data.remove(`persons/${MALLORY}.json`);
  await until("the removed person to be out of the index", async () => !(await data.has(`named/${MALLORY}.json`)));
  assert.deepEqual((await data.list("names/")).filter(({ key }) => key.endsWith(MALLORY)), []);
});

test("a restricted person is shown as restricted and not used; saying no still works", async () => {
  const { status, body } = await call("GET", `/persons/${QUIET}?include=timeline`);
  assert.deepEqual([status, body], [200, { person: QUIET, restricted: { since: "2026-03-01T09:30:00Z", request: "r-restricted1" } }]);
  const set = (state) => call("PUT", `/persons/${QUIET}/consents`, { body: { purpose: "newsletter", state, why: "asked" } });
  assert.deepEqual([(await set("granted")).status, (await set("granted")).body.error], [409, "PersonRestricted"]);
  assert.equal((await set("withdrawn")).status, 200);
});

test("a consent is set with its reason, and all words on it can be read", async () => {
  const body = { purpose: "newsletter", state: "withdrawn", why: "by phone" };
  const { body: now } = await call("PUT", `/persons/${ADA}/consents`, { body });
  assert.equal(now.consents.newsletter.state, "withdrawn");
  assert.deepEqual(now.consents.partners, { state: "unknown" });
  const { body: all } = await call("GET", `/persons/${ADA}/consents/history`);
  assert.deepEqual(all.history.map(({ state, source, by, why }) => [state, source, by, why]), [["withdrawn", "staff", "officer", "by phone"], ["granted", "shop", undefined, undefined]]);
  assert.equal((await call("PUT", `/persons/${ADA}/consents`, { body: { ...body, purpose: "everything" } })).body.error, "PurposeUnknown");
});

test("accounts that are linked are taken apart, others not", async () => {
  const { body: { links: [link] } } = await call("GET", `/persons/${ADA}/links`);
  const apart = (b) => call("POST", `/persons/${ADA}/unmerge`, { body: { a: link.a.token, b, why: "two people" } });
  assert.deepEqual([(await apart("0".repeat(32))).status, (await apart("0".repeat(32))).body.error], [409, "not-linked"]);
  assert.equal((await apart(link.b.token)).status, 200);
  assert.equal((await call("GET", `/persons/${ADA}`)).body.never.length, 1);
});

test("records appended at once make one chain; what is changed, or cut off, is found", async () => {
  const many = Array.from({ length: 20 }, (_, index) => record({ actor: "test", action: `at once ${index}` }));
  const numbers = await Promise.all(many);
  assert.equal(new Set(numbers).size, 20);
  const { records, broken } = await verify();
  assert.equal(broken, undefined);
  assert.equal(records, Math.max(...numbers));
  assert.deepEqual(await verify(0, 10), { records: 10, next: 10 });
  assert.deepEqual(await verify(10, 10_000), { records });
  const trail = bucket(process.env.REQUESTS_BUCKET);
  const head = await trail.get("audit-head.json");
  await trail.remove("audit-head.json");
  await record({ actor: "test", action: "without a head" });
  assert.deepEqual((await verify()).broken, { n: records + 1, why: "no head" });
  await trail.create("audit-head.json", { ...head, n: 3 });
  assert.deepEqual((await verify()).broken, { n: records + 1, why: "head changed" });
  await trail.remove("audit-head.json");
  await trail.create("audit-head.json", head);
  assert.equal((await verify()).broken, undefined);
  const key = (n) => `audit/${String(n).padStart(12, "0")}.json`;
  const { document, etag } = await trail.read(key(2));
  await trail.replace(key(2), { ...document, actor: "nobody" }, etag);
  assert.deepEqual((await verify()).broken, { n: 2, why: "changed" });
  await trail.remove(key(1));
  assert.deepEqual((await verify()).broken, { n: 1, why: "missing" });
});
