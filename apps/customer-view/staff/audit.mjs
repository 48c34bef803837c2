// The audit trail: who looked at what, and why (requests/MODEL.md). One object a record, numbered without gaps,
// and a number can be written once; each says the hash of the one before it and is authenticated by a key that
// the bucket does not hold. So none can be changed, left out or put in between. Personal data never goes in.
import { createHash, createHmac } from "node:crypto";
import "../secrets.mjs";
import { Refusal } from "./http.mjs";
import { bucket } from "./objects.mjs";

const FIRST = "0".repeat(64);
const HEAD = "audit-head.json";
const TRIES = 50;

const trail = () => bucket(process.env.REQUESTS_BUCKET);
const keyOf = (n) => `audit/${String(n).padStart(12, "0")}.json`;
const headOf = (n, sha256) => ({ format: 1, n, sha256, mac: mac(`head|${n}|${sha256}`) });
const isHead = (head) => head !== undefined && head.mac === headOf(head.n, head.sha256).mac;
const digest = (text) => createHash("sha256").update(text).digest("hex");
const auditKey = () => createHmac("sha256", process.env.AUDIT_KEY || process.env.CUSTOMER_VIEW_PEPPER).update("key/audit").digest();
const mac = (text) => createHmac("sha256", auditKey()).update(text).digest("hex");

// The newest record that this instance knows of, {n, digest}; others may have written since.
let newest;

/** Appends a record: {actor, action, request, person, detail}. What it is about is not answered before it is written. */
export async function record(entry, at = new Date()) {
  const objects = trail();
  newest ??= await last(objects);
  for (let tries = 0; tries < TRIES; tries++) {
    const n = newest.n + 1;
    const text = written(n, newest.digest, entry, at);
    if (await objects.createText(keyOf(n), text, { "content-type": "application/json", "x-amz-meta-mac": mac(text) })) {
      newest = { n, digest: digest(text) };
      await moveHead(objects, newest);
      if (entry.request) await objects.mark(`audited/${entry.request}/${String(n).padStart(12, "0")}`);
      return n;
    }
    newest = await last(objects, newest.n);
  }
  throw new Error("the audit trail is written to by too many at once");
}

function written(n, previous, { actor, action, ...facts }, at) {
  const time = at.toISOString().replace(/\.\d+Z$/, "Z");
  return JSON.stringify({ format: 1, n, at: time, actor, action, ...facts, previous });
}

// The newest record: the head may be behind it, never ahead.
async function last(objects, known) {
  const head = await objects.get(HEAD);
  let n = Math.max(known ?? 0, isHead(head) ? head.n : 0);
  while (await objects.has(keyOf(n + 1))) n += 1;
  if (n === 0 && !head) await objects.create(HEAD, headOf(0, FIRST));
  if (n === 0) return { n, digest: FIRST };
  return { n, digest: digest((await objects.readText(keyOf(n))).text) };
}

async function moveHead(objects, { n, digest: sha256 }) {
  const found = await objects.read(HEAD);
  // one that is gone or was changed stays so: that is a finding, and nobody may mend it unseen
  if (!isHead(found?.document) || found.document.n >= n) return;
  // whoever comes between has a later record, and moves the head as well
  await objects.replace(HEAD, headOf(n, sha256), found.etag);
}

const PURPOSES = /^(request( r-[0-9a-zA-Z]{1,38})?|complaint|correction|audit)$/;

/**
 * What the caller says that the data are needed for: the header `x-purpose`, percent-encoded. One of a few, because
 * the trail is never erased: a text of one's own could have anybody's name in it.
 */
export function purposeOf(event) {
  let purpose;
  try {
    purpose = decodeURIComponent(event.headers?.["x-purpose"] ?? "").trim();
  } catch {
    purpose = "";
  }
  if (PURPOSES.test(purpose)) return purpose;
  const known = "`request`, `request` and its id, `complaint`, `correction` or `audit`";
  throw new Refusal(400, "PurposeMissing", `say in the header \`x-purpose\` what you need the data for: ${known}`);
}

/** The records before number `before`, newest first, at most `many`. */
export async function page(before, many) {
  const objects = trail();
  const end = before ?? (await last(objects)).n + 1;
  const numbers = Array.from({ length: Math.max(0, Math.min(many, end - 1)) }, (_, index) => end - 1 - index);
  return Promise.all(numbers.map((n) => objects.get(keyOf(n))));
}

const AT_ONCE = 64;

/**
 * Reads the chain behind record `after`, at most `most` records: {records}: the last one read, {next} where there are
 * more, and where it is broken {broken: {n, why}}.
 */
export async function verify(after = 0, most = Infinity) {
  const objects = trail();
  const head = await objects.get(HEAD); // before the records, which may grow meanwhile
  let [n, previous] = [after, after === 0 ? FIRST : await digestOf(objects, after)];
  if (previous === undefined) return { records: after, broken: { n: after, why: "missing" } };
  while (n < after + most) {
    const numbers = Array.from({ length: Math.min(AT_ONCE, after + most - n) }, (_, index) => n + index + 1);
    const found = await Promise.all(numbers.map((number) => objects.readText(keyOf(number))));
    for (const stored of found) {
      if (!stored) return { records: n, ...(await behindEnd(objects, head, n)) };
      n += 1;
      const why = wrongWith(stored, n, previous);
      if (why) return { records: n, broken: { n, why } };
      previous = digest(stored.text);
    }
  }
  return { records: n, next: n };
}

const digestOf = async (objects, n) => {
  const found = await objects.readText(keyOf(n));
  return found && digest(found.text);
};

function wrongWith({ text, headers }, n, previous) {
  if (headers.get("x-amz-meta-mac") !== mac(text)) return "changed";
  const entry = JSON.parse(text);
  if (entry.n !== n) return "moved";
  return entry.previous === previous ? undefined : "does not follow";
}

// Records behind the end: something between was taken out; a head behind the end: the end was.
async function behindEnd(objects, head, n) {
  const [further] = await objects.list("audit/", { after: keyOf(n), limit: 1 });
  // what was written since the head was read is no gap
  if (further && further.key !== keyOf(n + 1)) return { broken: { n: n + 1, why: "missing" } };
  if (!head) return n === 0 ? {} : { broken: { n, why: "no head" } };
  if (!isHead(head)) return { broken: { n, why: "head changed" } };
  if (head.n > n) return { broken: { n: n + 1, why: "missing" } };
  const same = head.n === 0 || (await digestOf(objects, head.n)) === head.sha256;
  return same ? {} : { broken: { n: head.n, why: "not the end once" } };
}
