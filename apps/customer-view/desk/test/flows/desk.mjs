// The desk in a real browser, by keyboard. Started like view.mjs; SCREENSHOTS names a folder to look at after.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { open } from "../browser.mjs";
import { readTrail } from "../trail.mjs";
import { ADA, ERASED, MALLORY, seed } from "../seed.mjs";
import { bucket } from "../../../staff/objects.mjs";

const TOKEN = "only-good-on-your-own-machine";
const desk = `${process.env.DESK_URL}/desk`;
let browser;

const text = (selector = "main") => browser.evaluate(`document.querySelector(${JSON.stringify(selector)})?.innerText ?? ""`);
const shows = (selector) => browser.until(`document.querySelector(${JSON.stringify(selector)}) !== null`, selector);
const says = (words, selector = "main") => browser.until(`document.querySelector(${JSON.stringify(selector)})?.innerText.includes(${JSON.stringify(words)})`, words);
const photo = (name) => process.env.SCREENSHOTS && browser.screenshot(`${process.env.SCREENSHOTS}/${name}.png`);

async function signIn(token = TOKEN) {
  await shows("#token");
  await browser.until("document.activeElement.id === 'token'");
  await browser.type(token);
  await browser.press("Enter");
}

async function start(options) {
  browser = await open(options);
  await browser.go(desk);
  await signIn();
  await shows("tr[data-row]");
}

before(async () => {
  await seed();
  await start();
});
after(() => browser.close());
let visits = 0;
beforeEach(async () => {
  await browser.go(`${desk}?${++visits}`);
  await browser.until(`location.search === "?${visits}" && document.querySelector("table.requests") !== null`);
});

test("who is late stands first; the row is opened by keys and the look is recorded", async () => {
  const rows = await browser.evaluate("[...document.querySelectorAll('tr[data-row]')].map((row) => row.innerText)");
  // a day further where the run went over midnight
  assert.match(rows[0], /^[34] days late\s+Access\s+a…@example.com\s+Collecting answers/);
  assert.match(rows[1], /^[43] days left/);
  await browser.press("j");
  await browser.press("j");
  await browser.press("k");
  await photo("requests");
  await browser.press("Enter");
  await says("ada.weiss@example.com");
  await says("ReadTimeoutError");
  await photo("request");
  const last = (await readTrail()).at(-1);
  assert.deepEqual([last.actor, last.action, last.request, last.detail], ["officer", "data.read", "r-late1", { what: "request", why: "request r-late1" }]);
  assert.ok(await bucket(process.env.REQUESTS_BUCKET).has(`audited/r-late1/${String(last.n).padStart(12, "0")}`), "the mark by which requests finds it");
  await browser.press("Escape");
  await shows("table.requests");
});

test("the filters are links that Tab reaches", async () => {
  const reached = [];
  for (let presses = 0; presses < 12; presses++) {
    await browser.press("Tab");
    reached.push(await browser.evaluate("document.activeElement.innerText"));
  }
  assert.ok(["Late 1", "Closed 5", "All 11"].every((name) => reached.includes(name)), reached.join(", "));
  await browser.evaluate("[...document.querySelectorAll('nav.filter a')].find((link) => link.innerText === 'All 11').focus()");
  await browser.press("Enter");
  await browser.until("document.querySelectorAll('tr[data-row]').length === 11");
});

test("what has the focus can be seen", async () => {
  await browser.press("Tab");
  const outline = await browser.evaluate("getComputedStyle(document.activeElement).outlineStyle + getComputedStyle(document.activeElement).outlineWidth");
  assert.equal(outline, "solid3px");
});

test("a search by name shows a script as text, and runs none", async () => {
  await browser.press("/");
  await browser.until("document.activeElement.id === 'what'");
  for (;;) {
    await browser.evaluate("document.querySelector('#what').value = ''");
    await browser.type("weiss");
    await browser.press("Enter");
    await browser.until("document.querySelector('.results').innerText.length > 12");
    if ((await text(".results")).includes("Ada Weiß")) break; // the index of names follows within a second or two
  }
  await says("<script>document.title='owned'</script>", ".results");
  await says("Restricted (Art. 18)", ".results");
  await photo("search");
  assert.equal(await browser.evaluate("document.title"), "Privacy desk");
});

test("a person's page says why accounts are one, and takes them apart by keys", async () => {
  await browser.go(`${desk}#/persons/${ADA}`);
  await says("Why these accounts are one person");
  await says("Same e-mail");
  await says("Consent · Web shop · S-000017 · Newsletter · given");
  await says("€49.90");
  await photo("person");
  await decides("Take apart", "father and son");
  await says("Taken apart", "#note");
  assert.equal((await text()).includes("Same e-mail"), false);
});

test("the officer puts a request on hold with a reason", async () => {
  await browser.go(`${desk}#/requests/r-new1`);
  await says("grace@example.org");
  await decides("Put on legal hold", "in court");
  await says("On legal hold");
  await says("in court");
});

test("where it is in doubt whose data it is, the officer chooses, and names who was found by searching", async () => {
  await browser.go(`${desk}#/requests/r-doubt1`);
  await says("2 persons have it");
  await browser.evaluate("document.querySelector('#whose-1').focus()");
  await browser.press("Space");
  await browser.evaluate("document.querySelector('#whose-others').focus()");
  await browser.type(MALLORY);
  await photo("whose");
  await browser.press("Enter");
  await says("Done: The chosen are theirs", "#note");
  assert.deepEqual((await bucket(process.env.REQUESTS_BUCKET).get("requests/r-doubt1.json")).identity, { persons: [ADA, MALLORY] });
});

/** Opens a field for a reason, by keys, and writes one. */
async function decides(label, reason) {
  await browser.evaluate(`[...document.querySelectorAll("summary")].find((one) => one.innerText === ${JSON.stringify(label)}).focus()`);
  await browser.press("Enter");
  await browser.press("Tab");
  await browser.type(reason);
  await browser.press("Enter");
}

test("a consent is withdrawn, and a person put on hold, with a reason", async () => {
  await browser.go(`${desk}#/persons/${ADA}`);
  await says("Withdraw: Newsletter");
  await decides("Withdraw: Newsletter", "said so on the phone");
  await says("Give: Newsletter");
  await decides("Legal hold on this person", "in court");
  await says("Done: Legal hold on this person", "#note");
  const { reason, by } = await bucket(process.env.REQUESTS_BUCKET).get(`holds/${ADA}.json`);
  assert.deepEqual([reason, by], ["in court", "officer"]);
});

test("who was erased is named so, with the request that did it", async () => {
  await browser.go(`${desk}?erased#/persons/${ERASED}`);
  await says("This person was erased");
  await says("r-erasure0");
  assert.ok(await browser.evaluate("getComputedStyle(document.querySelector('.bar nav')).display !== 'none'"), "one can go on from here");
});

test("metrics and the audit trail are shown, and the chain is verified", async () => {
  await browser.press("3");
  await says("12 days");
  await photo("metrics");
  await browser.press("4");
  await says("data.read");
  await browser.evaluate("document.querySelector('button.primary').focus()");
  await browser.press("Enter");
  await says("The chain is whole");
});

test("all of it speaks Chinese, in the dark as well", async () => {
  await browser.press("l");
  await browser.press("t");
  await browser.until("/逾期 [34] 天/.test(document.querySelector('main').innerText)", "3 days late, or 4 after midnight");
  assert.equal(await browser.evaluate("document.documentElement.lang + document.documentElement.dataset.theme"), "zh-CNdark");
  await photo("requests-zh");
  for (const [key, words] of [["2", "目的"], ["3", "中位天数"], ["4", "验证哈希链"]]) {
    await browser.press("Escape"); // leaves the field that the search begins in
    await browser.press(key);
    await says(words);
    assert.doesNotMatch((await text()).replace(/\b(data\.\w+|person\.\w+|officer|request|r-\w+|p-\w+)\b/g, ""), /\b(Requests|Search|Loading|Show|When|Who|Reason)\b/);
  }
  await browser.press("l");
  await browser.press("t");
  await says("Verify the chain");
});

test("the keys are documented where one looks for them, and can be switched off", async () => {
  await browser.press("?");
  await shows("dialog[open]");
  await says("next, previous row", "dialog");
  await browser.evaluate("document.querySelector('#keys-on').click()");
  await browser.press("Escape");
  await browser.until("!document.querySelector('dialog').open");
  await browser.press("3");
  await browser.press("?");
  await shows("dialog[open]");
  assert.ok(await browser.evaluate("document.querySelector('table.requests') !== null"), "3 led nowhere");
  await browser.evaluate("document.querySelector('#keys-on').click()");
  await browser.press("Escape");
  await browser.until("!document.querySelector('dialog').open");
});

test("everything that can be reached has a name", async () => {
  const nameless = (await browser.accessible()).filter(({ role, name, focusable }) => focusable && name === "" && !["RootWebArea", "main", "generic"].includes(role));
  assert.deepEqual(nameless, []);
});

test("on a narrow screen nothing but tables scrolls sideways", async () => {
  await browser.width(360);
  assert.ok(await browser.evaluate("document.documentElement.scrollWidth <= 360"));
  await photo("narrow");
  await browser.width(1280);
});

test("the page allows no script but its own, and was told of no violation", async () => {
  const { headers } = await fetch(desk);
  assert.match(headers.get("content-security-policy"), /default-src 'none'; script-src 'self';/);
  assert.doesNotMatch(headers.get("content-security-policy"), /unsafe/);
  await browser.evaluate("document.body.append(Object.assign(document.createElement('script'), { textContent: 'x' }))").catch(() => {});
  const expected = browser.complaints.filter((complaint) => !/401|410|Content Security Policy|TrustedScript/.test(complaint));
  assert.deepEqual(expected, []);
});

test("who signs out, or brings a wrong token, sees nothing", async () => {
  await browser.evaluate("document.querySelector('#sign-out').click()");
  await signIn("wrong");
  await says("No member of staff has this token.");
  await browser.go(`${desk}?again#/metrics`);
  await shows("#token");
  await photo("sign-in");
  await browser.evaluate("document.querySelector('#token').value = ''");
  await signIn();
  await says("Handled");
});

test("who tries many tokens locks nobody out", async () => {
  const tried = async (token) => (await fetch(`${process.env.DESK_URL}/session`, { method: "POST", body: JSON.stringify({ token }) })).status;
  for (let tries = 0; tries < 32; tries++) assert.equal(await tried("guess"), 403); // from loopback, which is everybody
  assert.equal(await tried(TOKEN), 204);
  assert.deepEqual(await bucket(process.env.REQUESTS_BUCKET).list("pace/"), []);
});
