// People and requests for the desk's tests, as `merge` and `requests` write them (MODEL.md). All made up.
import { record } from "../../staff/audit.mjs";
import { bucket, eachOf } from "../../staff/objects.mjs";
import { token } from "../../view/tokens.mjs";

const DAY = 24 * 60 * 60 * 1000;
const seconds = (time) => new Date(time).toISOString().replace(/\.\d+Z$/, "Z");
/** The date so many days after today's in the controller's time zone, by which the desk counts. */
const dateIn = (days, now) => {
  const today = new Intl.DateTimeFormat("en-CA", { timeZone: process.env.TIME_ZONE ?? "Europe/Berlin" }).format(now);
  return new Date(Date.parse(today) + days * DAY).toISOString().slice(0, 10);
};

export const ADA = person("S-000017");
export const MALLORY = person("S-000666");
export const QUIET = person("S-000404");
export const ERASED = person("S-000410");
/** Is just being merged into Ada: `merged/` is not there yet. */
export const GOING = person("S-000808");
/** Was merged into Ada. */
export const MERGED = person("C-77");

function person(account) {
  process.env.CUSTOMER_VIEW_PEPPER ??= "pepper";
  return `p-${token(account.startsWith("C") ? "calls" : "shop", account)}`;
}

/** Every object of the bucket of data: [key, document]. */
export function people() {
  const at = "2026-03-01T09:30:00Z";
  const [shop, calls, orders] = [token("shop", "S-000017"), token("calls", "C-77"), token("orders", "O-5")];
  const [email, phone] = [`email/${token("email", "ada.weiss@example.com")}`, `phone/${token("phone", "+4930123456")}`];
  const byPhone = { a: shop, b: calls, score: 0.91, reasons: [{ rule: "same phone", weight: 5 }, { rule: "same family name", weight: 4 }, { rule: "other address", weight: -0.5 }] };
  const byEmail = { a: shop, b: orders, score: 0.98, reasons: [{ rule: "same e-mail", weight: 9 }, { rule: "same address", weight: 4 }] };
  const said = (source, value) => ({ value, source, token: shop, at, rule: "most trusted source" });
  const ada = {
    format: 1, id: ADA, version: 4, updated: at,
    accounts: [{ source: "shop", account: "S-000017", token: shop }, { source: "calls", account: "C-77", token: calls }, { source: "orders", account: "O-5", token: orders }],
    fields: {
      email: said("shop", "ada.weiss@example.com"), phone: said("calls", "+4930123456"), given: said("shop", "Ada"), family: said("shop", "Weiß"),
      address: said("orders", { street: "Lindenstraße 12", postcode: "10969", city: "Berlin", country: "DE" }), born: said("shop", "1984-05-17"), language: said("shop", "de"),
    },
    consents: { newsletter: { state: "granted", source: "shop", token: shop, at }, profiling: { state: "withdrawn", source: "marketing", token: shop, at } },
    links: [byPhone, byEmail],
    never: [], statements: [], restricted: null,
    history: [{ at: "2025-01-01T00:00:00Z", what: "created" }, { at, what: "merged", from: MERGED }],
  };
  const simple = (id, account, given, more = {}) => ({
    format: 1, id, version: 1, updated: at, accounts: [{ source: "shop", account, token: token("shop", account) }],
    fields: { given: said("shop", given), family: said("shop", "Weiss"), email: said("shop", "x@example.com") },
    consents: {}, links: [], never: [], statements: [], restricted: null, history: [], ...more,
  });
  const account = (source, account, owner, more = {}) => [`accounts/${source}/${token(source, account)}.json`,
    { format: 1, source, account, token: token(source, account), person: owner, said: {}, before: [], consents: {}, facts: {}, index: [], links: [], first: at, last: at, ...more }];
  return [
    [`persons/${ADA}.json`, ada],
    [`persons/${MALLORY}.json`, simple(MALLORY, "S-000666", "<script>document.title='owned'</script>")],
    [`persons/${QUIET}.json`, simple(QUIET, "S-000404", "Quiet", { restricted: { since: at, request: "r-restricted1" } })],
    [`persons/${GOING}.json`, simple(GOING, "S-000808", "Going", { merged: ADA })],
    [`merged/${MERGED}.json`, { format: 1, id: MERGED, into: ADA, at }],
    [`suppressed/account/${ERASED.slice(2)}.json`, { format: 1, at, request: "r-erasure0" }],
    account("shop", "S-000017", ADA, { index: [email], links: [byPhone, byEmail], said: { given: { value: "Ada", at, event: "e-1" }, family: { value: "Weiß", at, event: "e-1" } }, consents: { newsletter: { state: "granted", at, event: "e-1" } } }),
    account("orders", "O-5", ADA, { index: [email], links: [byEmail], facts: { "e-2": { type: "order", id: "O-9917", at: "2026-02-20T10:00:00Z", cents: 4990 } } }),
    account("calls", "C-77", MERGED, { index: [phone], links: [byPhone], facts: { "e-3": { type: "call", id: "K-3", at: "2026-02-25T16:00:00Z" } } }),
    account("shop", "S-000666", MALLORY), account("shop", "S-000404", QUIET),
    [`index/${email}.json`, { format: 1, accounts: [{ source: "shop", token: shop }, { source: "orders", token: orders }] }],
    [`index/${phone}.json`, { format: 1, accounts: [{ source: "calls", token: calls }] }],
  ];
}

const SYSTEMS = ["shop", "orders", "delivery", "marketing", "calls", "view"];

/** Every request, with its evidence: [key, document]. */
export function requests(now = Date.now()) {
  const made = (id, kind, email, state, ago, dueIn, more = {}) => [`requests/${id}.json`, {
    format: 1, id, kind, language: "en", contact: { email }, details: {}, contactHash: token("email", email), state, outcome: null, reason: null,
    receivedAt: seconds(now - ago * DAY), stateAt: seconds(now - ago * DAY), confirmedAt: seconds(now - ago * DAY + 600_000), closedAt: null,
    deadline: { due: dateIn(dueIn, now), dueAt: seconds(now + (dueIn + 0.5) * DAY), extended: null },
    link: { number: 1, issuedAt: seconds(now - ago * DAY), expiresAt: null, usedAt: null },
    subject: null, round: 1, systems: {}, hold: null, escalations: [], marks: { greeted: seconds(now - ago * DAY + 660_000) }, archive: null, certificate: null,
    history: [{ at: seconds(now - ago * DAY), by: "person", what: "request.received", detail: {} }, { at: seconds(now - ago * DAY + 600_000), by: "person", what: "request.confirm", detail: {} }], told: 2,
    error: null, erasedBefore: null, decidedBy: null, ...more,
  }];
  const answered = (states) => Object.fromEntries(SYSTEMS.map((system, index) => [system, {
    state: states[index] ?? "asked", askedAt: seconds(now - 2 * DAY), answeredAt: states[index] === "answered" ? seconds(now - 2 * DAY) : null,
    attempts: states[index] === "failed" ? 5 : 1, error: states[index] === "failed" ? "ReadTimeoutError" : null,
  }]));
  return [
    made("r-late1", "access", "ada.weiss@example.com", "collecting", 34, -3, { subject: { persons: [ADA] }, systems: answered(["answered", "answered", "answered", "answered", "failed", "answered"]),
      escalations: [{ at: seconds(now - DAY), systems: ["calls"], why: "`calls`: ReadTimeoutError" }] }),
    made("r-soon1", "erasure", "<img/src=x>@example.com", "collecting", 26, 4, { systems: answered(["answered", "answered"]) }),
    made("r-new1", "rectification", "grace@example.org", "review", 2, 29, { systems: answered(["answered", "answered", "answered", "answered", "answered", "answered"]) }),
    made("r-doubt1", "access", "quentin@example.com", "review", 1, 30, { doubt: { at: seconds(now - DAY), why: "2 persons have it", persons: [ADA, QUIET] } }),
    made("r-held1", "erasure", "held@example.net", "held", 12, 19, { hold: { reason: "invoice 2026-11 is disputed in court", by: "officer", at: seconds(now - 5 * DAY) } }),
    made("r-long1", "portability", "li@example.cn", "collecting", 20, 71, { deadline: { due: dateIn(71, now), dueAt: seconds(now + 72 * DAY), extended: { at: seconds(now - 10 * DAY), by: "officer", reason: "many accounts", dueBefore: dateIn(11, now) } }, systems: answered([]) }),
    ...[3, 8, 12, 20, 29].map((days, index) => made(`r-done${index}`, index % 2 ? "access" : "erasure", `done${index}@example.com`, "done", 60 + index, -30, { closedAt: seconds(now - (60 + index - days) * DAY), systems: answered(SYSTEMS.map(() => "answered")) })),
    ["evidence/r-late1/shop.json", { format: 1, system: "shop", at: seconds(now - 2 * DAY), records: 1, data: { note: "</pre><script>document.title='owned'</script>" } }],
    ["evidence/r-late1/orders.json", { format: 1, system: "orders", at: seconds(now - 2 * DAY), records: 1, data: null, kept: [{ what: "invoice", count: 3, reason: "§ 147 AO", until: "2036-12-31" }] }],
  ];
}

/** Puts it all into the buckets of the environment. */
export async function seed(now = Date.now()) {
  const put = (name, objects) => eachOf(objects, ([key, document]) => bucket(name).create(key, document));
  await put(process.env.DATA_BUCKET, people());
  await put(process.env.REQUESTS_BUCKET, requests(now));
  await record({ actor: "person", action: "request.received", request: "r-late1", step: 1, detail: { kind: "access" } });
}
