// Consents: the golden record is the single source of truth. Staff set them by a statement to `merge`, which is
// the one that writes persons.
import { Refusal, textOf } from "../staff/http.mjs";
import { accountsOf } from "./persons.mjs";

export const PURPOSES = ["newsletter", "profiling", "partners", "phone"];
const STATES = ["granted", "withdrawn"];

/** How each purpose stands; one that nobody was ever asked for is `unknown`, which is not a yes. */
export const consentsOf = ({ id, consents = {} }) => ({
  person: id,
  consents: Object.fromEntries(PURPOSES.map((purpose) => [purpose, consents[purpose] ?? { state: "unknown" }])),
});

/** All words on consents, newest first: of the systems and of staff. */
export async function consentHistory(person) {
  const said = (await accountsOf(person)).flatMap(({ source, account, consents = {} }) =>
    Object.entries(consents).map(([purpose, { state, at }]) => ({ at, purpose, state, source, account })));
  const stated = (person.statements ?? []).filter(({ kind }) => kind === "consent").map(
    ({ name, value, at, by, why }) => ({ at, purpose: name, state: value, source: "staff", by, why }));
  const all = [...said, ...stated].sort((one, other) => (one.at < other.at ? 1 : -1));
  return { person: person.id, history: all };
}

/** What a body asks to be set: {purpose, state, why}. */
export function wanted(body) {
  const { purpose, state } = body;
  if (!PURPOSES.includes(purpose)) throw new Refusal(400, "PurposeUnknown", `\`purpose\` is one of ${PURPOSES.join(", ")}`);
  if (!STATES.includes(state)) throw new Refusal(400, "StateUnknown", `\`state\` is one of ${STATES.join(", ")}`);
  return { purpose, state, why: textOf(body, "why", 200) };
}
