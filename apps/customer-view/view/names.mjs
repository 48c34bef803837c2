// The index of names: for each word of a person's name a mark `names/<token of the word>/<person>`, and in
// `named/<person>.json` which marks there are. It follows `persons/`: whatever happened there, and in whatever
// order one hears of it, what is written is how the person is now.
import { eachOf } from "../staff/objects.mjs";
import { data } from "./persons.mjs";
import { nameOf } from "./search.mjs";
import { token, wordsOf } from "./tokens.mjs";

const CHANGED = /^persons\/(p-[0-9a-f]{32})\.json$/;

/** Messages of the queue that the bucket tells of persons: the ones that failed come again. */
export async function handler({ Records }) {
  const failures = await eachOf(Records, async ({ messageId, body }) => {
    try {
      await follow(JSON.parse(body));
      return undefined;
    } catch (error) {
      console.error(`${messageId}: ${error.stack}`);
      return { itemIdentifier: messageId };
    }
  });
  return { batchItemFailures: failures.filter(Boolean) };
}

async function follow({ Records = [] }) {
  const keys = Records.map(({ s3 }) => decodeURIComponent(s3.object.key.replaceAll("+", " ")));
  const ids = keys.map((key) => CHANGED.exec(key)?.[1]).filter(Boolean);
  for (const id of new Set(ids)) await index(id);
}

/** Makes the marks of a person those of the name it has now. */
export async function index(id) {
  const objects = data();
  let before = [];
  const now = await objects.update(`named/${id}.json`, async (named) => {
    before = named?.words ?? [];
    const person = await objects.get(`persons/${id}.json`);
    const words = person ? wordsOf(nameOf(person)).map((word) => token("name", word)).sort() : [];
    await eachOf(words.filter((word) => !before.includes(word)), (word) => objects.mark(`names/${word}/${id}`));
    if (String(words) === String(before)) return undefined;
    return { format: 1, words };
  });
  const kept = now?.words ?? [];
  await eachOf(before.filter((word) => !kept.includes(word)), (word) => objects.remove(`names/${word}/${id}`));
}
