// The view's API. Who asks has a staff token and says why; the audit trail has it before the answer is given.
import { purposeOf, record } from "../staff/audit.mjs";
import { invoke } from "../staff/aws.mjs";
import { Refusal, bodyOf, serve, textOf } from "../staff/http.mjs";
import { officerOf, staffOf } from "../staff/token.mjs";
import { consentHistory, consentsOf, wanted } from "./consents.mjs";
import { accountsOf, personOf, usable } from "./persons.mjs";
import { nameOf, search } from "./search.mjs";
import { timeline } from "./timeline.mjs";
import { explanation } from "./why.mjs";

// What there is to read of a person. Who is restricted (Art. 18) is only named.
const PARTS = {
  links: explanation,
  timeline: async (person) => ({ person: person.id, timeline: timeline(person, await accountsOf(person)) }),
  consents: async (person) => ({ ...consentsOf(person), ...(await consentHistory(person)) }),
};

/** A route that reads of one person. */
function reading(what, show) {
  return async (event) => {
    const actor = await staffOf(event);
    const why = purposeOf(event);
    const person = await personOf(event.pathParameters.id);
    await record({ actor, action: "data.read", person: person.id, detail: { what, why } });
    return person.restricted ? restricted(person) : show(person);
  };
}

/** The golden record, and with `?include=links,timeline,consents` what belongs to it: one look, one record. */
async function readPerson(event) {
  const parts = event.queryStringParameters?.include?.split(",") ?? [];
  const wrong = parts.find((part) => !Object.hasOwn(PARTS, part));
  if (wrong !== undefined) throw new Refusal(400, "IncludeUnknown", `\`include\` may have ${Object.keys(PARTS).join(", ")}`);
  const what = ["person", ...parts].join(", ");
  return reading(what, async (person) => {
    const read = await Promise.all(parts.map(async (part) => [part, await PARTS[part](person)]));
    return { ...shown(person), ...(parts.length > 0 && { included: Object.fromEntries(read) }) };
  })(event);
}

const restricted = ({ id, restricted }) => ({ person: id, restricted });

const shown = ({ format: _, ...person }) => ({ person: person.id, restricted: null, ...person });

async function searching(event) {
  const actor = await staffOf(event);
  const why = purposeOf(event);
  const { persons, more } = await search(bodyOf(event));
  // one record for all that were seen; what was looked for is personal and stays out of it
  await record({ actor, action: "data.searched", detail: { persons: persons.map(({ id }) => id), why } });
  return { persons: persons.map(brief), more };
}

function brief(person) {
  if (person.restricted) return restricted(person);
  const { fields = {} } = person;
  return {
    person: person.id,
    restricted: null,
    name: nameOf(person),
    email: fields.email?.value,
    phone: fields.phone?.value,
    city: fields.address?.value?.city,
    accounts: person.accounts.length,
  };
}

async function unmerge(event) {
  const { name: by } = await officerOf(event);
  const body = bodyOf(event);
  const why = textOf(body, "why", 200);
  const [a, b] = [textOf(body, "a", 64), textOf(body, "b", 64)];
  const person = usable(await personOf(event.pathParameters.id));
  await record({ actor: by, action: "person.unmerged", person: person.id, detail: { a, b } });
  return asked({ unmerge: { person: person.id, a, b, by, why, at: now() } });
}

async function setConsent(event) {
  const by = await staffOf(event);
  const { purpose, state, why } = wanted(bodyOf(event));
  const person = await personOf(event.pathParameters.id);
  // a restriction keeps data from being used, not a person from saying no
  if (state === "granted") usable(person);
  await record({ actor: by, action: "consent.set", person: person.id, detail: { purpose, state } });
  await asked({ state: { person: person.id, kind: "consent", name: purpose, value: state, by, why, at: now() } });
  return consentsOf(await personOf(person.id));
}

const STATUS = { "unknown-person": 404, "not-linked": 409, invalid: 400 };

// `merge` is the only one that writes persons.
async function asked(question) {
  const result = await invoke(process.env.MERGE_FUNCTION, question);
  if (!result.error) return result;
  throw new Refusal(STATUS[result.error] ?? 500, result.error, result.message);
}

const now = () => new Date().toISOString().replace(/\.\d+Z$/, "Z");

export const handler = serve({
  "POST /persons/search": searching,
  "GET /persons/{id}": readPerson,
  "GET /persons/{id}/timeline": reading("timeline", PARTS.timeline),
  "GET /persons/{id}/links": reading("links", PARTS.links),
  "GET /persons/{id}/consents": reading("consents", consentsOf),
  "GET /persons/{id}/consents/history": reading("history of consents", consentHistory),
  "POST /persons/{id}/unmerge": unmerge,
  "PUT /persons/{id}/consents": setConsent,
});
