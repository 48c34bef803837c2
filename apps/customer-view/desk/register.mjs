// All requests, as the desk needs them. The listing says by its ETags which have changed; only those are read. Closed
// ones pile up for years, so what the list and the metrics want of them is kept in one object, without the person.
import { bucket, eachOf } from "../staff/objects.mjs";
import { isClosed } from "./overview.mjs";

const SNAPSHOT = "desk/closed.json";
/** So many newly closed requests are worth writing the snapshot anew. */
const WORTH_WRITING = 20;

// By the name of the object: {etag, request}; kept from one invocation to the next.
let known;

/** Every request: open ones as they are stored, closed ones without who asked. */
export async function everyRequest(objects = bucket(process.env.REQUESTS_BUCKET)) {
  const [listed, snapshot] = await Promise.all([objects.list("requests/"), known ? undefined : objects.read(SNAPSHOT)]);
  const before = known ?? new Map(Object.entries(snapshot?.document.requests ?? {}));
  const read = await eachOf(listed, async ({ key, etag }) => {
    const found = before.get(key);
    return [key, found?.etag === etag ? found : await readOne(objects, key)];
  });
  known = new Map(read.filter(([, found]) => found));
  await keep(objects, before);
  return [...known.values()].map(({ request }) => request);
}

async function readOne(objects, key) {
  const found = await objects.read(key);
  return found && { etag: found.etag, request: isClosed(found.document) ? facts(found.document) : found.document };
}

const facts = ({ id, kind, state, receivedAt, closedAt, deadline }) => ({
  id, kind, state, receivedAt, closedAt,
  deadline: { due: deadline.due, dueAt: deadline.dueAt, extended: deadline.extended && {} },
});

async function keep(objects, before) {
  const closed = [...known].filter(([, { request }]) => isClosed(request));
  const fresh = closed.filter(([key, { etag }]) => before.get(key)?.etag !== etag);
  if (fresh.length < WORTH_WRITING) return;
  const now = { format: 1, requests: Object.fromEntries(closed) };
  const found = await objects.read(SNAPSHOT);
  // another desk may write at the same time: what it leaves out is read again
  await (found ? objects.replace(SNAPSHOT, now, found.etag) : objects.create(SNAPSHOT, now));
}
