import assert from "node:assert/strict";
import { test } from "node:test";
import { isFull, taken } from "../pace.mjs";

const NOON = Date.parse("2026-03-01T12:00:00Z");

test("a source tries so many wrong tokens within the hour that begins with the first", () => {
  let count;
  for (let tries = 0; tries < 30; tries++) {
    assert.equal(isFull(count, NOON + tries), false);
    count = taken(count, NOON + tries);
  }
  assert.deepEqual(count, { format: 1, since: "2026-03-01T12:00:00Z", count: 30 });
  assert.equal(isFull(count, NOON + 59 * 60_000), true);
  assert.equal(taken(count, NOON + 59 * 60_000), undefined);
  assert.equal(isFull(count, NOON + 60 * 60_000), false);
  assert.equal(taken(count, NOON + 60 * 60_000).count, 1);
});
