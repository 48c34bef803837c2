import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { normal } from "../normal.mjs";

test("the cases are as written, here and in Rust", () => {
  const cases = JSON.parse(readFileSync(new URL("../../identity/cases.json", import.meta.url), "utf8"));
  assert.ok(cases.length > 10);
  for (const { schema, part, normal: expected } of cases) assert.deepEqual(normal(schema, part), expected);
});
