// The two steps against a server that plays buckets, bus and queue.
import assert from "node:assert/strict";
import http from "node:http";
import { after, before, beforeEach, test } from "node:test";
import { boundTo, open, seal, token } from "../seal.mjs";

const KEY = Buffer.alloc(32, 7);
let objects, entries, messages, refuse, broken, server, validate, normalise;

before(async () => {
  server = http.createServer(async (request, response) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    const [status, body] = play(request, Buffer.concat(parts).toString());
    response.writeHead(status).end(body);
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: `http://127.0.0.1:${server.address().port}`, AWS_ACCESS_KEY_ID: "k", AWS_SECRET_ACCESS_KEY: "s",
    BUS: "bus", KEYS_BUCKET: "keys", DATA_BUCKET: "data", REJECTED_QUEUE_URL: "queue", CUSTOMER_VIEW_PEPPER: "pepper",
  });
  ({ handler: validate } = await import("../validate.mjs"));
  ({ handler: normalise } = await import("../normalise.mjs"));
});
after(() => server.close());

beforeEach(() => {
  objects = { [`/keys/shop/${token("shop", "S-1")}`]: KEY };
  [entries, messages, refuse, broken] = [[], [], 0, ""];
});

function play({ method, url, headers }, body) {
  if (method === "GET" && url === broken) return [503, ""];
  if (method === "GET") return objects[url] ? [200, objects[url]] : [404, ""];
  const { Entries } = JSON.parse(body);
  if (headers["x-amz-target"] === "AmazonSQS.SendMessageBatch") {
    messages.push(...Entries.map(({ MessageBody }) => JSON.parse(MessageBody)));
    return [200, '{"Successful": []}'];
  }
  assert.ok(Entries.length <= 10);
  const taken = refuse-- > 0 ? Entries.slice(0, 3) : Entries;
  entries.push(...taken);
  return [200, JSON.stringify({ Entries: Entries.map((one) => (taken.includes(one) ? {} : { ErrorCode: "InternalFailure" })) })];
}

let events = 0;
function record(part, change = {}, key = KEY) {
  const value = {
    schema: "shop.account/1", event: `00000000-0000-0000-0000-${String(++events).padStart(12, "0")}`, source: "shop",
    account: "S-1", at: "2026-01-01T00:00:00Z", ...change,
  };
  const text = typeof part === "string" ? part : JSON.stringify(part);
  value.sealed ??= seal(key, token(value.source, value.account), boundTo(value), text);
  return raw(JSON.stringify(value), value.account);
}

const base64 = (text) => Buffer.from(text).toString("base64");
const raw = (value, key = "S-1") => ({ topic: "source.shop", partition: 0, offset: events, key: base64(key), value: base64(value) });
const none = { batchItemFailures: [] };
const batch = (...list) => ({ eventSource: "aws:kafka", records: { "source.shop-0": list } });
const sound = { email: "a@x.example", consents: { newsletter: true } };

test("what is sound goes on as it came", async () => {
  const good = record(sound);
  const answer = await validate(batch(good, { ...good, value: null }));
  assert.deepEqual(answer, { on: 1, rejected: 0, dropped: 0, ...none });
  const [{ DetailType, Source, EventBusName, Detail }] = entries;
  assert.deepEqual([EventBusName, Source, DetailType], ["bus", "customer-view.validate", "view.valid"]);
  assert.deepEqual(JSON.parse(Detail), { key: "S-1", value: JSON.parse(Buffer.from(good.value, "base64")) });
});

test("what is broken is rejected with its reason, and nothing of its content", async () => {
  const cases = [
    [raw("{not json"), "not-json", "the record is not JSON"],
    [raw("[1]"), "wrong-envelope", "not an object"],
    [raw("x".repeat(1_100_000)), "too-large", "the record has more than 1000000 bytes"],
    [record(sound, { schema: "shop.account/2" }), "unknown-schema", "field `schema`: not a schema we know"],
    [record(sound, { schema: "toString" }), "unknown-schema", "field `schema`: not a schema we know"],
    [record(sound, { at: "2099-01-01T00:00:00Z" }), "from-the-future", "field `at`: more than a day ahead"],
    [record(sound, { at: "2026-13-01T00:00:00Z" }), "wrong-envelope", "field `at`: not a time"],
    [record(sound, { at: "2026-02-30T00:00:00Z" }), "wrong-envelope", "field `at`: not a time"],
    [record(sound, { at: "2026-01-01T24:00:00Z" }), "wrong-envelope", "field `at`: not a time"],
    [record(sound, { at: "0000-01-01T00:00:00Z" }), "wrong-envelope", "field `at`: not a time"],
    [record({ ...sound, born: "0000-01-01" }), "wrong-type", "field `born`: not a date"],
    [record(sound, { source: "calls" }), "wrong-envelope", "field `source`: not the topic's, or not the schema's"],
    [record(sound, { account: "S-2" }), "wrong-key", "field `sealed.key`: there is no such key"],
    [record(sound, {}, Buffer.alloc(32)), "not-opened", "field `sealed`: does not open with the account's key"],
    [record("secret"), "wrong-type", "the personal part is not JSON"],
    [record({ email: "secret" }), "wrong-type", "field `email`: not an e-mail address"],
    [record({ ...sound, born: "1984-02-30" }), "wrong-type", "field `born`: not a date"],
    [record({ ...sound, address: { city: 7 } }), "wrong-type", "field `address.city`: not text of at most 400"],
    [record({ ...sound, consents: { newsletter: "secret" } }), "wrong-type", "field `consents.newsletter`: not one of true, false"],
    [record({}), "missing", "field `email`: missing"],
    [record({ ...sound, "<b>": 1 }), "unknown-field", "field `?b?`: not in the schema"],
    [record('{"email": "a@x.example", "__proto__": {}}'), "unknown-field", "field `__proto__`: not in the schema"],
  ];
  const answer = await validate(batch(...cases.map(([one]) => one), record(sound)));
  assert.deepEqual(answer, { on: 1, rejected: cases.length, dropped: 0, ...none });
  cases.forEach(([{ key, offset }, code, reason], at) => {
    const message = messages[at];
    assert.deepEqual([message.code, message.reason, message.offset, message.topic], [code, reason, offset, "source.shop"]);
    assert.equal(message.token, token("shop", Buffer.from(key, "base64").toString()));
    assert.deepEqual(Object.keys(message).sort(), ["at", "code", "event", "offset", "partition", "reason", "step", "token", "topic"]);
    assert.ok(!message.reason.includes("secret"));
  });
});

test("the account of an erased person is dropped, with its key and without", async () => {
  objects[`/data/suppressed/account/${token("shop", "S-1")}.json`] = "{}";
  const event = batch(record(sound));
  assert.deepEqual(await validate(event), { on: 0, rejected: 0, dropped: 1, ...none });
  assert.deepEqual(await normalise(event), { on: 0, rejected: 0, dropped: 1, ...none });
  delete objects[`/keys/shop/${token("shop", "S-1")}`];
  assert.deepEqual(await validate(event), { on: 0, rejected: 0, dropped: 1, ...none });
  assert.deepEqual(await normalise(event), { on: 0, rejected: 0, dropped: 1, ...none });
  assert.equal(entries.length + messages.length, 0);
});

test("a record that cannot be normalised is rejected, and its neighbours go on", async () => {
  objects[`/keys/shop/${token("shop", "S-2")}`] = KEY;
  const lost = record(sound, { account: "S-3" });
  const batches = batch(record(sound), lost, raw("{not json"), record(sound, {}, Buffer.alloc(32)), record("text"), record(sound, { account: "S-2" }));
  assert.deepEqual(await normalise(batches), { on: 2, rejected: 4, dropped: 0, ...none });
  assert.deepEqual(entries.map(({ Detail }) => JSON.parse(Detail).key), ["S-1", "S-2"]);
  assert.deepEqual(messages.map(({ code, step }) => `${step} ${code}`), ["wrong-key", "not-json", "not-opened", "wrong-type"].map((code) => `normalise ${code}`));
  assert.equal(messages[0].token, token("shop", "S-3"));
  assert.equal(messages[0].event, JSON.parse(Buffer.from(lost.value, "base64")).event);
});

test("what no step can help stops its partition there, and no other", async () => {
  broken = `/keys/shop/${token("shop", "S-2")}`;
  const [first, bad, behind, other] = ["S-1", "S-2", "S-1", "S-1"].map((account) => record(sound, { account }));
  const event = { eventSource: "aws:kafka", records: { "source.shop-0": [first, bad, raw("{not json"), behind], "source.shop-1": [other] } };
  const batchItemFailures = [{ itemIdentifier: { partition: "source.shop-0", offset: bad.offset } }];
  for (const step of [validate, normalise]) {
    [entries, messages] = [[], []];
    assert.deepEqual(await step(event), { on: 2, rejected: 0, dropped: 0, batchItemFailures });
    assert.deepEqual([entries.length, messages.length], [2, 0]);
  }
});

test("records stay in order when the bus takes a part", async () => {
  refuse = 2;
  const many = Array.from({ length: 25 }, (_, at) => record({ email: `${at}@X.example` }));
  assert.deepEqual(await normalise(batch(...many)), { on: 25, rejected: 0, dropped: 0, ...none });
  const emails = entries.map(({ Detail }) => {
    const { value } = JSON.parse(Detail);
    assert.equal(value.schema, "view.normal/1");
    return JSON.parse(open(KEY, boundTo(value), value.sealed)).said.email;
  });
  assert.deepEqual(emails, many.map((_, at) => `${at}@x.example`));
});
