import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { LANGUAGES, dateIn, preferred, speaker } from "../assets/words.mjs";

const assets = new URL("../assets/", import.meta.url);
const placeholders = (text) => [...text.matchAll(/\{\w+\}/g)].map(([found]) => found).sort();

test("the languages have the same words with the same places to fill in", () => {
  assert.deepEqual(Object.keys(LANGUAGES.zh).sort(), Object.keys(LANGUAGES.en).sort());
  for (const [key, words] of Object.entries(LANGUAGES.en)) {
    assert.deepEqual(placeholders(LANGUAGES.zh[key]), placeholders(words), key);
    assert.notEqual(LANGUAGES.zh[key].trim(), "", key);
  }
});

test("every word that is said is there, and every word is said", () => {
  const sources = readdirSync(assets).filter((name) => name.endsWith(".mjs") && name !== "words.mjs");
  const text = [...sources.map((name) => readFileSync(new URL(name, assets), "utf8")), readFileSync(new URL("../page.mjs", assets), "utf8")].join("\n");
  const said = [...text.matchAll(/say\("([\w.]+)"/g)].map(([, key]) => key);
  assert.deepEqual(said.filter((key) => !(key in LANGUAGES.en)), []);
  const alone = Object.keys(LANGUAGES.en).filter((key) => !key.includes("."));
  assert.deepEqual(alone.filter((key) => !text.includes(`"${key}"`) && !text.includes(`${key}:`)), []);
});

test("the language that was chosen comes before the browser's", () => {
  assert.equal(preferred("en", "zh-CN"), "en");
  assert.equal(preferred(undefined, "zh-TW,en;q=0.5"), "zh");
  assert.equal(preferred("constructor", "de"), "en");
});

test("words are filled in, also with what looks like a place to fill in", () => {
  assert.equal(speaker("en")("days.late", { n: 3 }), "3 days late");
  assert.equal(speaker("zh")("chainBroken", { n: 4, why: "{n}" }), "哈希链在第 4 条断开：{n}");
  assert.equal(speaker("en")("status.nonsense"), "status.nonsense");
});

test("dates are written as the language does", () => {
  assert.match(dateIn("zh", "2026-03-01T09:30:00Z"), /2026年3月1日/);
  assert.match(dateIn("en", "2026-03-01"), /1 Mar 2026/);
  assert.equal(dateIn("en", undefined), "–");
});
