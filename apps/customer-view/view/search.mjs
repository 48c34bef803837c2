// Search. What is looked for comes in a body, because addresses are written into logs everywhere.
import { Refusal, textOf } from "../staff/http.mjs";
import { data, personsById, personsOf } from "./persons.mjs";
import { emailOf, phoneOf, token, wordsOf } from "./tokens.mjs";

const MOST = 50;
/** Of a word that more persons have than this, the first are looked at. */
const MOST_OF_A_WORD = 1000;

const KINDS = { email: byEmail, phone: byPhone, name: byName };

/** The persons that `body` describes: exactly one of `email`, `phone` and `name`. */
export async function search(body) {
  const kinds = Object.keys(KINDS).filter((kind) => body[kind] !== undefined);
  if (kinds.length !== 1) throw new Refusal(400, "SearchWrong", "send one of `email`, `phone` and `name`");
  const found = await KINDS[kinds[0]](textOf(body, kinds[0], 400));
  return { persons: found.slice(0, MOST), more: found.length > MOST };
}

function byEmail(text) {
  return byIndex("email", emailOf(text));
}

function byPhone(text) {
  const phone = phoneOf(text);
  if (!phone) throw new Refusal(400, "PhoneWrong", "a phone number has 7 to 15 digits, and begins with `+` or `0`");
  return byIndex("phone", phone);
}

async function byIndex(kind, value) {
  const index = await data().get(`index/${kind}/${token(kind, value)}.json`);
  return personsOf(index?.accounts ?? []);
}

// All words have to be in the name. The word that fewest have says who may be meant.
async function byName(text) {
  const words = wordsOf(text);
  if (words.length === 0) throw new Refusal(400, "NameWrong", "a name has letters");
  const lists = await Promise.all(words.map(personsWith));
  const [rarest] = lists.sort((one, other) => one.length - other.length);
  const among = lists.map((ids) => (ids.length < MOST_OF_A_WORD ? new Set(ids) : undefined)).filter(Boolean);
  const ids = rarest.filter((id) => among.every((list) => list.has(id)));
  const persons = await personsById(ids.slice(0, MOST + 1));
  return persons.filter((person) => {
    const has = new Set(wordsOf(nameOf(person)));
    return person.restricted || words.every((word) => has.has(word));
  });
}

async function personsWith(word) {
  const prefix = `names/${token("name", word)}/`;
  const found = await data().list(prefix, { limit: MOST_OF_A_WORD });
  return found.map(({ key }) => key.slice(prefix.length));
}

export const nameOf = ({ fields }) => [fields?.given?.value, fields?.family?.value].filter(Boolean).join(" ");
