// What happened with a person, newest first: what the systems reported, and what became of the golden record.

/** The entries of a person's timeline: {at, what, …}. */
export function timeline(person, accounts) {
  const entries = [...accounts.flatMap(factsOf), ...accounts.flatMap(consentsOf), ...(person.history ?? []).map(viewOf)];
  return entries.sort((one, other) => (one.at < other.at ? 1 : one.at > other.at ? -1 : 0));
}

function factsOf({ source, account, facts = {} }) {
  return Object.entries(facts).map(([event, { type, at, ...rest }]) => ({ at, what: type, source, account, event, ...rest }));
}

function consentsOf({ source, account, consents = {} }) {
  return Object.entries(consents).map(([purpose, { state, at, event }]) =>
    ({ at, what: "consent", purpose, state, source, account, event }));
}

const viewOf = ({ at, what, ...rest }) => ({ at, what, source: "view", ...rest });
