// Buckets of JSON documents. Who writes says what it replaces: a document is created, or it replaces the one
// that was read, or the write is refused and tried again.
import { encode, endpoint, signedFetch } from "./aws.mjs";

const TRIES = 12;
const AT_ONCE = 16;

/** The bucket of this name. */
export function bucket(name) {
  const call = (method, key, options) => request(method, name, key, options);

  /** The text, its ETag and its metadata, or undefined. */
  async function readText(key) {
    const answer = await call("GET", key);
    if (answer.status === 404) return undefined;
    return { text: await expect(answer, 200), etag: answer.headers.get("etag"), headers: answer.headers };
  }

  /** The document and its ETag, or undefined. */
  async function read(key) {
    const found = await readText(key);
    return found && { document: JSON.parse(found.text), etag: found.etag };
  }

  /** The document, or undefined. */
  const get = async (key) => (await read(key))?.document;

  /** Writes a document that must not be there yet; false if it is. */
  const create = (key, document) => createText(key, JSON.stringify(document));

  /** The same with a text, and headers such as metadata. */
  const createText = (key, text, headers = {}) => write(key, text, { ...headers, "if-none-match": "*" });

  /** Writes over the document that had this ETag; false if another write came first. */
  const replace = (key, document, etag) => write(key, JSON.stringify(document), { "if-match": etag });

  async function write(key, body, headers) {
    const answer = await call("PUT", key, { headers, body });
    const said = await answer.text();
    const raced = answer.status === 412 || answer.status === 409 || (answer.status === 404 && headers["if-match"]);
    if (!raced && answer.status !== 200) throw new Error(`PUT ${key}: ${answer.status} ${said}`);
    return !raced;
  }

  /** Reads, changes and writes until no other write came between; `change` may refuse by throwing. */
  async function update(key, change) {
    for (let tries = 0; tries < TRIES; tries++) {
      const found = await read(key);
      const changed = await change(found?.document);
      if (changed === undefined || changed === found?.document) return found?.document;
      if (await (found ? replace(key, changed, found.etag) : create(key, changed))) return changed;
    }
    throw new Error(`${key} changes too often to be written`);
  }

  /** What is below `prefix`: [{key, etag}], in order, at most `limit`, of those after `after`. */
  async function list(prefix, { after, limit = Infinity } = {}) {
    const found = [];
    let more = after ? { "start-after": after } : {};
    do {
      const most = Math.min(1000, limit - found.length);
      const query = { "list-type": "2", prefix, "max-keys": String(most), ...more };
      const page = await expect(await call("GET", "", { query }), 200);
      for (const [, entry] of page.matchAll(/<Contents>(.*?)<\/Contents>/gs)) {
        found.push({ key: text(entry, "Key"), etag: text(entry, "ETag") });
      }
      const token = text(page, "NextContinuationToken");
      more = token && { "continuation-token": token };
    } while (more && found.length < limit);
    return found;
  }

  /** Whether there is an object. */
  async function has(key) {
    const { status } = await call("HEAD", key);
    if (status !== 200 && status !== 404) throw new Error(`HEAD ${key}: ${status}`);
    return status === 200;
  }

  /** Takes an object away, if it is there. */
  async function remove(key) {
    await expect(await call("DELETE", key), 204);
  }

  /** Writes a mark: an object that says all by its name. */
  async function mark(key) {
    await expect(await call("PUT", key, { body: "{}" }), 200);
  }

  return { read, readText, get, create, createText, replace, update, list, has, remove, mark };
}

/** The results of `work` for every item, in order; so many run at once as the node is asked for politely. */
export async function eachOf(items, work) {
  const results = new Array(items.length);
  let next = 0;
  const worker = async () => {
    while (next < items.length) {
      const index = next++;
      results[index] = await work(items[index]);
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, worker));
  return results;
}

async function expect(answer, status) {
  const body = await answer.text();
  if (answer.status !== status) throw new Error(`${answer.url}: ${answer.status} ${body}`);
  return body;
}

const ENTITIES = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function text(xml, tag) {
  const found = xml.match(new RegExp(`<${tag}>([^<]*)</${tag}>`));
  return found?.[1].replace(/&(?:#(\d+)|#x([0-9a-f]+)|(\w+));/gi, (whole, decimal, hex, name) =>
    name ? (ENTITIES[name] ?? whole) : String.fromCodePoint(Number.parseInt(decimal ?? hex, decimal ? 10 : 16)),
  );
}

function request(method, bucketName, key, { query = {}, headers = {}, body = "" } = {}) {
  const path = key.split("/").map(encode).join("/");
  const search = Object.keys(query).sort().map((name) => `${encode(name)}=${encode(query[name])}`).join("&");
  const url = new URL(`${endpoint("s3")}/${bucketName}${path && `/${path}`}`);
  url.search = search;
  return signedFetch("s3", method, url, headers, body);
}
