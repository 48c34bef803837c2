// The index of names: for each word of a person's name a mark `names/<token of the word>/<person>`, and in
// `named/<person>.json` which marks there are. It follows `persons/`: whatever happened there, and in whatever
// order one hears of it, what is written is how the person is now. One instance runs at a time.
import { eachOf } from "../staff/objects.mjs";
import { data } from "./persons.mjs";
import { nameOf } from "./search.mjs";
import { token, wordsOf } from "./tokens.mjs";

const CHANGED = /^persons\/(p-[0-9a-f]{32})\.json$/;

/** Messages of the queue that the bucket tells of persons: each person is looked at once, and what failed comes again. */
export async function handler({ Records }) {
  const told = Records.map(({ messageId, body }) => ({ messageId, ids: personsIn(JSON.parse(body)) }));
  const failed = new Set();
  await eachOf([...new Set(told.flatMap(({ ids }) => ids))], async (id) => {
    try {
      await index(id);
    } catch (error) {
      console.error(`${id}: ${error.stack}`);
      failed.add(id);
    }
  });
  const again = told.filter(({ ids }) => ids.some((id) => failed.has(id)));
  return { batchItemFailures: again.map(({ messageId }) => ({ itemIdentifier: messageId })) };
}

function personsIn({ Records = [] }) {
  const keys = Records.map(({ s3 }) => decodeURIComponent(s3.object.key.replaceAll("+", " ")));
  return keys.map((key) => CHANGED.exec(key)?.[1]).filter(Boolean);
}

/** Makes the marks of a person those of the name it has now. */
export async function index(id) {
  const objects = data();
  const list = `named/${id}.json`;
  const [named, person] = await Promise.all([objects.get(list), objects.get(`persons/${id}.json`)]);
  const before = named?.words ?? [];
  const words = person && !person.merged ? wordsOf(nameOf(person)).map((word) => token("name", word)) : [];
  const added = words.filter((word) => !before.includes(word));
  const gone = before.filter((word) => !words.includes(word));
  // at every moment the list has all marks that there are, so that none is forgotten when this ends half way
  if (added.length > 0) await objects.update(list, () => ({ format: 1, words: [...before, ...added] }));
  await eachOf(added, (word) => objects.mark(`names/${word}/${id}`));
  await eachOf(gone, (word) => objects.remove(`names/${word}/${id}`));
  if (gone.length > 0 && words.length > 0) await objects.update(list, () => ({ format: 1, words }));
  if (named && words.length === 0) await objects.remove(list);
}
