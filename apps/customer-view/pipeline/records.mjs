// Records in: what an event source mapping hands over. Records out: by the bus, a rule a topic.
import { object, putEvents, send } from "./aws.mjs";
import { token } from "./seal.mjs";

// What is wrong with a single record: it is rejected, and its neighbours go on. A message names members, never values.
export class Problem extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

// All records, in the order of their partitions, each with its partition as the mapping calls it; a null value is a
// tombstone (its source has forgotten the account) and is passed over.
export const records = (event) =>
  Object.entries(event.records ?? {}).flatMap(([name, list]) =>
    list.filter(({ value }) => value != null).map((record) => ({ ...record, name })));

// A batch of a step. `work` gives the record to go on, or undefined when its account was erased; a Problem it throws
// rejects the record; anything else stops the record's partition there, and what is behind comes again with it.
export async function batch(event, step, topic, work) {
  const every = records(event);
  const outcomes = await each(every, ({ key }) => key ?? "", (record) => judge(record, step, work));
  const stopped = new Map();
  every.forEach(({ name, offset }, at) => {
    if (!outcomes[at] || outcomes[at].failed) stopped.set(name, Math.min(stopped.get(name) ?? offset, offset));
  });
  const done = outcomes.filter((_, at) => !(every[at].offset >= stopped.get(every[at].name)));
  const rejected = done.filter((one) => one.rejected).map((one) => one.rejected);
  const sound = done.filter((one) => one.value).map(({ value }) => entry(step, topic, value.account, value));
  await send(process.env.REJECTED_QUEUE_URL, rejected);
  await write(sound);
  return {
    on: sound.length, rejected: rejected.length, dropped: done.length - sound.length - rejected.length,
    batchItemFailures: [...stopped].map(([partition, offset]) => ({ itemIdentifier: { partition, offset } })),
  };
}

async function judge(record, step, work) {
  try {
    return { value: await work(record) };
  } catch (error) {
    if (error instanceof Problem) return { rejected: rejection(record, step, error) };
    console.error(`${record.name}@${record.offset}: ${error.message}`);
    return { failed: true };
  }
}

const text = (base64) => Buffer.from(base64 ?? "", "base64").toString("utf8");

// Says which record it was, by its place and by keyed hash. What the record says is not kept: it may be about anybody.
function rejection({ topic, partition, offset, key, value }, step, { code, message }) {
  const whole = text(value.slice(0, 100_000));
  const event = /"event"\s*:\s*"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"/.exec(whole)?.[1] ?? null;
  const said = /"source"\s*:\s*"(shop|orders|delivery|marketing|calls)"/.exec(whole)?.[1];
  const source = topic.startsWith("source.") ? topic.slice("source.".length) : said;
  return {
    reason: message, code, step, at: new Date().toISOString().replace(/\.\d+/, ""),
    topic, partition, offset, event, token: source && key ? token(source, text(key)) : null,
  };
}

export function parse(json, code, what) {
  try {
    return JSON.parse(json);
  } catch {
    throw new Problem(code, `${what} is not JSON`);
  }
}

export const entry = (step, topic, key, value) => ({
  EventBusName: process.env.BUS,
  Source: `customer-view.${step}`,
  DetailType: topic,
  Detail: JSON.stringify({ key, value }),
});

export const write = putEvents;

// Works on records several at once, those of one account one after the other; results in the order of the records,
// none of those behind one that failed.
export async function each(items, account, work, atOnce = 16) {
  const chains = new Map();
  items.forEach((item, at) => {
    const name = account(item);
    chains.set(name, [...(chains.get(name) ?? []), [item, at]]);
  });
  const waiting = [...chains.values()];
  const results = [];
  const worker = async () => {
    for (let chain; (chain = waiting.shift()); ) {
      for (const [item, at] of chain) {
        results[at] = await work(item);
        if (results[at]?.failed) break; // what is behind it comes again with it
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, waiting.length) }, worker));
  return results;
}

// The key of an account; undefined when it was destroyed. Never kept.
export const keyOf = (source, token) => object(process.env.KEYS_BUCKET, `${source}/${token}`);

// Whether an account was erased.
export const isSuppressed = async (token) =>
  (await object(process.env.DATA_BUCKET, `suppressed/account/${token}.json`)) !== undefined;
