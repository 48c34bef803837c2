// Records in: what an event source mapping hands over. Records out: by the bus, a rule a topic.
import { object, putEvents } from "./aws.mjs";

// All records, in the order of their partitions.
export const records = (event) => Object.values(event.records ?? {}).flat();

export const entry = (step, topic, key, value) => ({
  EventBusName: process.env.BUS,
  Source: `customer-view.${step}`,
  DetailType: topic,
  Detail: JSON.stringify({ key, value }),
});

export const write = putEvents;

// Works on records several at once, those of one account one after the other; results in the order of the records.
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
      for (const [item, at] of chain) results[at] = await work(item);
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
