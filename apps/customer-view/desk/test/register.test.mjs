import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { requests } from "./seed.mjs";

const [, open] = requests().find(([key]) => key === "requests/r-new1.json");
const [, done] = requests().find(([key]) => key === "requests/r-done0.json");

/** A bucket in memory that counts what is read. */
function memory() {
  const stored = new Map();
  const reads = [];
  let versions = 0;
  const put = (key, document) => stored.set(key, { document: structuredClone(document), etag: String(++versions) });
  return {
    put, reads, stored,
    list: async (prefix) => [...stored].filter(([key]) => key.startsWith(prefix)).map(([key, { etag }]) => ({ key, etag })),
    read: async (key) => {
      reads.push(key);
      return stored.get(key);
    },
    create: async (key, document) => put(key, document),
    replace: async (key, document) => put(key, document),
  };
}

let bucket;
let instances = 0;
/** What a function's new instance has: nothing in memory. */
const newInstance = () => import(`../register.mjs?${++instances}`);

beforeEach(() => {
  bucket = memory();
  bucket.put("requests/r-new1.json", open);
  for (let number = 0; number < 30; number++) bucket.put(`requests/r-d${number}.json`, { ...done, id: `r-d${number}` });
});

test("only what has changed is read again", async () => {
  const { everyRequest } = await newInstance();
  assert.equal((await everyRequest(bucket)).length, 31);
  bucket.reads.length = 0;
  bucket.put("requests/r-new1.json", { ...open, state: "held" });
  assert.equal((await everyRequest(bucket)).find(({ id }) => id === "r-new1").state, "held");
  assert.deepEqual(bucket.reads, ["requests/r-new1.json"]);
});

test("a new instance reads the open ones and the snapshot of the closed ones", async () => {
  const first = await (await newInstance()).everyRequest(bucket);
  bucket.reads.length = 0;
  const second = await (await newInstance()).everyRequest(bucket);
  assert.deepEqual(second, first);
  assert.deepEqual(bucket.reads.sort(), ["desk/closed.json", "requests/r-new1.json"]);
});

test("the snapshot says nothing of who asked", async () => {
  await (await newInstance()).everyRequest(bucket);
  const text = JSON.stringify(bucket.stored.get("desk/closed.json").document);
  assert.match(text, /r-d29/);
  assert.doesNotMatch(text, /@|contact|subject/);
});

test("a closed request that changes, or goes, is not taken from the snapshot", async () => {
  await (await newInstance()).everyRequest(bucket);
  bucket.put("requests/r-d3.json", { ...done, id: "r-d3", kind: "restriction" });
  bucket.stored.delete("requests/r-d4.json");
  const now = await (await newInstance()).everyRequest(bucket);
  assert.equal(now.find(({ id }) => id === "r-d3").kind, "restriction");
  assert.equal(now.some(({ id }) => id === "r-d4"), false);
});
