import assert from "node:assert/strict";
import { test } from "node:test";
import { timeline } from "../timeline.mjs";
import { emailOf, phoneOf, token, wordsOf } from "../tokens.mjs";
import { explanation } from "../why.mjs";

test("a token is that of the model: HMAC-SHA256 of kind and value, 32 digits", () => {
  process.env.CUSTOMER_VIEW_PEPPER = "pepper";
  // printf 'shop|S-000017' | openssl dgst -sha256 -hmac pepper
  assert.equal(token("shop", "S-000017"), "70eeec05c63364483f4c256b235db8d2");
});

test("names are found by their words, however they are written", () => {
  assert.deepEqual(wordsOf("Weiß,  Ada-Lovelace ada"), ["weiss", "ada", "lovelace"]);
  assert.deepEqual(wordsOf("ÉMILE  李小龙"), ["emile", "李小龙"]);
  assert.deepEqual(wordsOf("<script>"), ["script"]);
  assert.deepEqual(wordsOf("…"), []);
});

test("phones and addresses are looked for as the index has them", () => {
  assert.equal(phoneOf("+49 (0)30 / 123-456"), "+4930123456");
  assert.equal(phoneOf("0049 30 123456"), "+4930123456");
  assert.equal(phoneOf("030 123456"), "+4930123456");
  assert.equal(phoneOf("123"), undefined);
  assert.equal(phoneOf("+1234567890123456"), undefined);
  assert.equal(emailOf(" Ada.Weiss@Example.COM "), "ada.weiss@example.com");
});

const account = (name) => ({ source: "shop", account: name, token: name });

test("an explanation names the accounts, the strongest link first, and the link that all hangs on", () => {
  const links = [{ a: "a", b: "c", score: 0.7, reasons: [] }, { a: "a", b: "b", score: 0.9, reasons: [] }, { a: "b", b: "c", score: 0.6, reasons: [] }];
  const { links: found, weakest } = explanation({ id: "p", accounts: ["a", "b", "c"].map(account), links });
  assert.deepEqual(found.map(({ score }) => score), [0.9, 0.7, 0.6]);
  assert.deepEqual(found[0].a, account("a"));
  assert.deepEqual(weakest, { a: "a", b: "c", score: 0.7 }, "the third link joins what is joined");
  assert.equal(explanation({ id: "p", accounts: [account("a")] }).weakest, undefined);
});

test("a timeline is of all accounts and of the golden record, newest first", () => {
  const person = { history: [{ at: "2026-01-02T00:00:00Z", what: "merged", from: "p-x" }] };
  const accounts = [{
    source: "orders", account: "O-1",
    facts: { e1: { type: "order", id: "O-9", at: "2026-01-03T00:00:00Z", cents: 4990 } },
    consents: { newsletter: { state: "granted", at: "2026-01-01T00:00:00Z", event: "e0" } },
  }];
  assert.deepEqual(timeline(person, accounts), [
    { at: "2026-01-03T00:00:00Z", what: "order", source: "orders", account: "O-1", event: "e1", id: "O-9", cents: 4990 },
    { at: "2026-01-02T00:00:00Z", what: "merged", source: "view", from: "p-x" },
    { at: "2026-01-01T00:00:00Z", what: "consent", purpose: "newsletter", state: "granted", source: "orders", account: "O-1", event: "e0" },
  ]);
});
