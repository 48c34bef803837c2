// How often one source may try tokens within an hour. The count is that of wrong links (requests/service/pace.py):
// who guesses here and there guesses at one thing.
import "../secrets.mjs";
import { createHmac } from "node:crypto";
import { Refusal } from "./http.mjs";
import { bucket } from "./objects.mjs";

const ONE_HOUR = 60 * 60 * 1000;

/** Refuses a source (429) that has tried too many tokens that were wrong, before the next one is looked at. */
export async function looking(event, now = Date.now()) {
  const key = keyOf(event);
  if (key && isFull(await bucket(process.env.REQUESTS_BUCKET).get(key), now)) {
    throw new Refusal(429, "TooMany", "too many tries from here; try again in an hour");
  }
}

/** Counts a token that was wrong. */
export async function lookedWrong(event, now = Date.now()) {
  const key = keyOf(event);
  if (key) await bucket(process.env.REQUESTS_BUCKET).update(key, (before) => taken(before, now));
}

const limit = () => Number(process.env.REQUESTS_PER_SOURCE || 30);
const isOver = (before, now) => now >= Date.parse(before.since) + ONE_HOUR;
export const isFull = (before, now) => before !== undefined && !isOver(before, now) && before.count >= limit();

export function taken(before, now) {
  if (isFull(before, now)) return undefined;
  if (before !== undefined && !isOver(before, now)) return { ...before, count: before.count + 1 };
  return { format: 1, since: new Date(now).toISOString().replace(/\.\d+Z$/, "Z"), count: 1 };
}

// Undefined where it is switched off (0), or where nobody says who calls.
function keyOf(event) {
  const source = event?.requestContext?.http?.sourceIp;
  if (!source || limit() <= 0) return undefined;
  const hash = createHmac("sha256", process.env.CUSTOMER_VIEW_PEPPER).update(`pace|look|${source}`).digest("hex").slice(0, 32);
  return `pace/look/${hash}.json`;
}
