// Stands for `merge` in the desk's tests, which are of the desk: it does to a person what MODEL.md says that
// un-merge and a statement do, as far as the desk can see it.
import { bucket } from "../../staff/objects.mjs";

export async function handler({ unmerge, state }) {
  const { person, at, by, why, ...rest } = unmerge ?? state;
  const data = bucket(process.env.DATA_BUCKET);
  let error;
  await data.update(`persons/${person}.json`, (found) => {
    if (!found) error = "unknown-person";
    else if (unmerge && !found.links.some(({ a, b }) => a === rest.a && b === rest.b)) error = "not-linked";
    if (error) return undefined;
    return unmerge ? apart(found, rest, { at, by, why }) : stated(found, rest, { at, by, why });
  });
  return error ? { error, message: `${error} ${person}` } : { persons: [person] };
}

const apart = (person, { a, b }, said) => ({
  ...person,
  accounts: person.accounts.filter(({ token }) => token !== b),
  links: person.links.filter((link) => link.a !== b && link.b !== b),
  never: [...person.never, { a, b, ...said }],
  history: [...person.history, { at: said.at, what: "unmerged", by: said.by }],
});

const stated = (person, { kind, name, value }, said) => ({
  ...person,
  consents: { ...person.consents, [name]: { state: value, source: "staff", at: said.at } },
  statements: [...person.statements, { kind, name, value, ...said }],
});
