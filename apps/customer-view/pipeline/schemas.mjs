// What is sound: the five personal parts of MODEL.md. A problem names members, never their values.

import { Problem } from "./records.mjs";

const text = (max = 400) => (value) => typeof value === "string" && value.length <= max ? null : `not text of at most ${max}`;
const matching = (pattern, what) => (value) => (typeof value === "string" && pattern.test(value) ? null : `not ${what}`);
const oneOf = (...values) => (value) => (values.includes(value) ? null : `not one of ${values.join(", ")}`);
const count = (value) => (Number.isSafeInteger(value) && value >= 0 ? null : "not a whole number");
// A time that there is: Date alone takes the 30th of February for the 2nd of March.
const isTime = (value, from) => {
  const time = new Date(value);
  return !Number.isNaN(+time) && time.toISOString().replace(".000", "") === value && value >= from;
};
const date = (value) =>
  typeof value === "string" && /^\d{4}-\d{2}-\d{2}$/.test(value) && isTime(`${value}T00:00:00Z`, "1800") ? null : "not a date";
const email = (value) => matching(/^\s*[^\s@]+@[^\s@]+\.[^\s@]+\s*$/, "an e-mail address")(value) ?? text(254)(value);
const object = (members) => (value, path) => members_(members, value, path);
const list = (item) => (value, path) =>
  Array.isArray(value) && value.length <= 200 ? value.map((one, at) => item(one, `${path}[${at}]`)).find(Boolean) : "not a list of at most 200";

const address = object({ street: text(), postcode: text(20), city: text(), country: matching(/^\s*[A-Za-z]{2}\s*$/, "a country's two letters") });
const yesOrNo = oneOf(true, false);
const consents = object({ newsletter: yesOrNo, profiling: yesOrNo, partners: yesOrNo, phone: yesOrNo });
const language = matching(/^\s*[A-Za-z]{2,3}\s*$/, "a language's letters");
const items = list(object({ sku: text(64), quantity: count, cents: count }));

// Members; those that must be there begin with "!".
const SCHEMAS = {
  "shop.account/1": { "!email": email, given: text(), family: text(), phone: text(), address, born: date, language, consents },
  "orders.order/1": {
    "!order": text(64), "!name": text(), email, phone: text(), address, items, "!cents": count, currency: matching(/^[A-Z]{3}$/, "a currency"),
  },
  "delivery.parcel/1": {
    "!parcel": text(64), order: text(64), "!name": text(), phone: text(), "!address": address, "!status": oneOf("sent", "delivered", "returned"),
  },
  "marketing.contact/1": { "!email": email, name: text(), born: date, language, consents },
  "calls.note/1": { "!call": text(64), "!phone": text(), name: text(), email, note: text(4000) },
};

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

// The first problem of an object's members; where it is stands before it.
function members_(members, value, path = "") {
  if (!isObject(value)) return "not an object";
  for (const [name, member] of Object.entries(value)) {
    const check = members[name] ?? members[`!${name}`];
    if (!Object.hasOwn(members, name) && !Object.hasOwn(members, `!${name}`)) {
      throw new Problem("unknown-field", `field \`${join(path, name)}\`: not in the schema`);
    }
    const problem = check(member, join(path, name));
    if (problem) throw new Problem("wrong-type", `field \`${join(path, name)}\`: ${problem}`);
  }
  const missing = Object.keys(members).find((name) => name.startsWith("!") && !Object.hasOwn(value, name.slice(1)));
  if (missing) throw new Problem("missing", `field \`${join(path, missing.slice(1))}\`: missing`);
  return null;
}

// A member's name is the sender's text: it is shortened before it is told.
const join = (path, name) => (path ? `${path}.` : "") + name.replace(/[^\w-]/g, "?").slice(0, 40);

// Throws what is wrong with a personal part.
export function check(schema, part) {
  const problem = members_(SCHEMAS[schema], part);
  if (problem) throw new Problem("wrong-type", `the personal part is ${problem}`);
}

const ENVELOPE = {
  schema: text(64),
  event: matching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, "a UUID"),
  source: oneOf("shop", "orders", "delivery", "marketing", "calls"),
  account: matching(/^[A-Za-z0-9._-]{1,64}$/, "1 to 64 of A-Z a-z 0-9 . _ -"),
  at: matching(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/, "a time in UTC with whole seconds"),
};
const SEALED = { key: matching(/^[0-9a-f]{32}$/, "a token"), nonce: matching(/^[A-Za-z0-9+/]{16}$/, "12 bytes"), data: matching(/^[A-Za-z0-9+/]+={0,2}$/, "base64") };

// Throws what is wrong with a record around its personal part.
export function checkEnvelope(record, topic, key, now) {
  const wrong = (message) => new Problem("wrong-envelope", message);
  if (!isObject(record)) throw wrong("not an object");
  for (const [where, members] of [["", ENVELOPE], ["sealed", SEALED]]) {
    const part = where ? record[where] : record;
    if (!isObject(part)) throw wrong(`field \`${where}\`: not an object`);
    for (const [name, check] of Object.entries(members)) {
      const problem = Object.hasOwn(part, name) ? check(part[name]) : "missing";
      if (problem) throw wrong(`field \`${join(where, name)}\`: ${problem}`);
    }
  }
  if (!Object.hasOwn(SCHEMAS, record.schema)) throw new Problem("unknown-schema", "field `schema`: not a schema we know");
  if (!isTime(record.at, "1900")) throw wrong("field `at`: not a time");
  if (topic !== `source.${record.source}` || !record.schema.startsWith(`${record.source}.`)) {
    throw wrong("field `source`: not the topic's, or not the schema's");
  }
  if (key !== record.account) throw wrong("field `account`: not the record's key");
  if (Date.parse(record.at) > now + 86_400_000) throw new Problem("from-the-future", "field `at`: more than a day ahead");
}
