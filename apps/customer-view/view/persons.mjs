// Persons, as the pipeline keeps them (MODEL.md, "State"): found, followed to where they were merged into,
// erased, restricted.
import { Refusal } from "../staff/http.mjs";
import { bucket, eachOf } from "../staff/objects.mjs";

export const data = () => bucket(process.env.DATA_BUCKET);

const PERSON = /^p-[0-9a-f]{32}$/;
const MOST_MERGES = 100;

/** The golden record of `id`, or of the person it was merged into. Refuses for who is erased or unknown. */
export async function personOf(id) {
  if (!PERSON.test(id)) throw unknown(id);
  const objects = data();
  let current = id;
  for (let steps = 0; steps < MOST_MERGES; steps++) {
    const person = await objects.get(`persons/${current}.json`);
    if (person && !person.merged) return person;
    // one that says where it goes is just going there
    const into = person?.merged ?? (await objects.get(`merged/${current}.json`))?.into;
    if (!into) throw await absent(objects, current);
    current = into;
  }
  throw new Error(`${id} was merged in a circle`);
}

const unknown = (id) => new Refusal(404, "PersonUnknown", `there is no person \`${id}\``);

// A person has the token of its first account: when that is suppressed the person was erased.
async function absent(objects, id) {
  const suppressed = await objects.get(`suppressed/account/${id.slice(2)}.json`);
  if (!suppressed) return unknown(id);
  const { at, request } = suppressed;
  return new Refusal(410, "PersonErased", `\`${id}\` was erased; nothing is kept but the proof`, { erased: { at, request } });
}

/** What the systems said, account by account. */
export async function accountsOf(person) {
  const found = await eachOf(person.accounts, ({ source, token }) => data().get(`accounts/${source}/${token}.json`));
  return found.filter(Boolean);
}

/** Refuses to use the data of who has restricted their processing (Art. 18). */
export function usable(person) {
  if (!person.restricted) return person;
  throw new Refusal(409, "PersonRestricted", "the processing of this person's data is restricted (Art. 18)", {
    person: person.id,
    restricted: person.restricted,
  });
}

/** The persons of these accounts, each once; who is gone by now is left out. */
export async function personsOf(accounts) {
  const found = await eachOf(accounts, async ({ source, token }) =>
    (await data().get(`accounts/${source}/${token}.json`))?.person);
  return personsById(found.filter(Boolean));
}

/** The persons with these ids, each once. */
export async function personsById(ids) {
  const persons = await eachOf([...new Set(ids)], async (id) => {
    try {
      return await personOf(id);
    } catch (error) {
      if (error instanceof Refusal) return undefined;
      throw error;
    }
  });
  return [...new Map(persons.filter(Boolean).map((person) => [person.id, person])).values()];
}
