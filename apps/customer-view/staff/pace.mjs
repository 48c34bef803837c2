// How many wrong tokens of staff one source may try within an hour. Only who brings a wrong one is ever refused for it:
// a right token is compared first, so that nobody can lock out those who have one.
// `requests/domain/pace.py` and `requests/service/pace.py` are the same for the API of requests.
import "../secrets.mjs";
import { createHmac } from "node:crypto";
import { isIP } from "node:net";
import { Refusal } from "./http.mjs";
import { bucket } from "./objects.mjs";

const ONE_HOUR = 60 * 60 * 1000;
const LIMIT = limitOf(process.env);

/** How often a source may, as set: 30 without a word, 0 for no limit. Throws at what is no number. */
export function limitOf(environment) {
  const text = environment.REQUESTS_PER_SOURCE || "30";
  if (/^[0-9]{1,9}$/.test(text)) return Number(text);
  throw new Error("set REQUESTS_PER_SOURCE: it is a whole number, 0 for no limit");
}

/** Counts a token that was wrong; refuses its source (429) where there were as many as may be. */
export async function triedWrong(event, now = Date.now()) {
  const network = networkOf(event?.requestContext?.http?.sourceIp ?? "");
  if (network === undefined || LIMIT === 0) return;
  let isAllowed = true;
  await bucket(process.env.REQUESTS_BUCKET).update(keyOf(network), (before) => {
    const after = taken(before, now);
    isAllowed = after !== undefined;
    return after;
  });
  if (!isAllowed) throw new Refusal(429, "TooMany", "too many tries from here; try again in an hour");
}

const isOver = (before, now) => now >= Date.parse(before.since) + ONE_HOUR;
const isFull = (before, now) => before !== undefined && !isOver(before, now) && before.count >= LIMIT;

/** The count after one more time; undefined where there were as many as may be. */
export function taken(before, now) {
  if (isFull(before, now)) return undefined;
  if (before !== undefined && !isOver(before, now)) return { ...before, count: before.count + 1 };
  return { format: 1, since: new Date(now).toISOString().replace(/\.\d+Z$/, "Z"), count: 1 };
}

/**
 * What is counted as one source: an IPv4 address, or the /64 of an IPv6 address, which is what one subscriber has.
 * Undefined for loopback, a proxy on this machine that stands for everybody, and where nobody says who calls.
 */
export function networkOf(source) {
  if (source === "") return undefined;
  const version = isIP(source);
  if (version === 6) return networkOf6(groupsOf(source.split("%")[0]));
  return version === 4 && source.startsWith("127.") ? undefined : source;
}

function networkOf6(groups) {
  const numbers = groups.map((group) => Number.parseInt(group, 16));
  const begin = numbers.slice(0, 6).join();
  if (begin === "0,0,0,0,0,65535") {
    return networkOf(numbers.slice(6).flatMap((number) => [number >> 8, number & 255]).join("."));
  }
  if (begin === "0,0,0,0,0,0" && numbers[6] === 0 && numbers[7] === 1) return undefined;
  return `${groups.slice(0, 4).join(":")}/64`;
}

// The eight groups, four digits each, whatever way of writing them was chosen.
function groupsOf(address) {
  const short = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [begin, end] = short.split("::").map((half) => half.split(":").filter(Boolean));
  const zeros = end === undefined ? [] : new Array(8 - begin.length - end.length).fill("0");
  return [...begin, ...zeros, ...(end ?? [])].map((group) => group.padStart(4, "0"));
}

const keyOf = (network) =>
  `pace/token/${createHmac("sha256", process.env.CUSTOMER_VIEW_PEPPER).update(`pace|token|${network}`).digest("hex").slice(0, 32)}.json`;
