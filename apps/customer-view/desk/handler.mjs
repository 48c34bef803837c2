// The desk of the data-protection officer: its page, its session, what it shows of requests and audit, and what
// the officer decides.
import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import * as audit from "../staff/audit.mjs";
import { invoke } from "../staff/aws.mjs";
import { Refusal, answer, bodyOf, serve, textOf } from "../staff/http.mjs";
import { bucket, eachOf } from "../staff/objects.mjs";
import { endedSession, holderOf, officerOf, sessionCookie } from "../staff/token.mjs";
import { detail, isShown, metrics, overview } from "./overview.mjs";
import { everyRequest } from "./register.mjs";
import { POLICY, deskPage, languageOf } from "./page.mjs";

const TYPES = { css: "text/css", mjs: "text/javascript", svg: "image/svg+xml" };
const folder = new URL("assets/", import.meta.url);
const assets = new Map(readdirSync(folder).map((name) => [name, asset(name)]));

function asset(name) {
  const body = readFileSync(new URL(name, folder), "utf8");
  const etag = `"${createHash("sha256").update(body).digest("hex").slice(0, 16)}"`;
  return { body, etag, type: `${TYPES[name.split(".").pop()]}; charset=utf-8` };
}

export const handler = serve({
  "GET /desk": (event) => html(deskPage(languageOf(event))),
  "GET /desk/assets/{file}": serveAsset,
  "POST /session": signIn,
  "DELETE /session": (event) => ({ statusCode: 204, cookies: [endedSession(event)], headers: { "cache-control": "no-store" } }),
  "GET /desk/requests": listRequests,
  "GET /desk/requests/{id}": showRequest,
  "POST /desk/requests/{id}/actions": decide,
  "PUT /desk/holds/{id}": hold,
  "GET /desk/metrics": showMetrics,
  "GET /desk/audit": showAudit,
  "POST /desk/audit/verify": verifyAudit,
});

const html = (body) => ({
  statusCode: 200,
  headers: {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
  },
  body,
});

function serveAsset(event) {
  const found = assets.get(event.pathParameters.file);
  if (!found) throw new Refusal(404, "FileUnknown", "no such file");
  const headers = { "content-type": found.type, "cache-control": "no-cache", etag: found.etag, "x-content-type-options": "nosniff" };
  if (event.headers["if-none-match"] === found.etag) return { statusCode: 304, headers };
  return { statusCode: 200, headers, body: found.body };
}

async function signIn(event) {
  const name = await holderOf(textOf(bodyOf(event), "token"), event);
  return { statusCode: 204, cookies: [await sessionCookie(name, event)], headers: { "cache-control": "no-store" } };
}

const objects = () => bucket(process.env.REQUESTS_BUCKET);
const zone = () => process.env.TIME_ZONE ?? "Europe/Berlin";
const now = () => new Date().toISOString().replace(/\.\d+Z$/, "Z");

async function listRequests(event) {
  await officerOf(event);
  const show = event.queryStringParameters?.show ?? "open";
  if (!isShown(show)) throw new Refusal(400, "ShowUnknown", "`show` is `open`, `late`, `closed` or `all`");
  return overview(await everyRequest(), show, now(), zone());
}

async function showRequest(event) {
  const { name: actor } = await officerOf(event);
  const why = audit.purposeOf(event);
  const { id } = event.pathParameters;
  const found = /^r-[0-9a-z]{1,38}$/i.test(id) && (await objects().get(`requests/${id}.json`));
  if (!found) throw new Refusal(404, "RequestUnknown", `there is no request \`${id}\``);
  await audit.record({ actor, action: "data.read", request: id, detail: { what: "request", why } });
  const certificate = found.certificate ? await objects().get(found.certificate) : undefined;
  return { ...detail(found, await evidenceOf(id), now(), zone()), certificate };
}

// `requests` decides what may happen to a request, and writes it; the desk hands on who wants it.
async function decide(event) {
  const officer = await officerOf(event);
  const { action, reason, persons } = bodyOf(event);
  return asRequests(officer, "POST /requests/{id}/actions", event.pathParameters, { action, reason, persons });
}

// A legal hold on a person: erasures of theirs stop with its reason.
async function hold(event) {
  const officer = await officerOf(event);
  return asRequests(officer, "PUT /requests/holds/{id}", event.pathParameters, { reason: bodyOf(event).reason });
}

// With the officer's own token: whoever it is by is for `requests` to find, not for the desk to say.
async function asRequests({ token }, routeKey, pathParameters, body) {
  const result = await invoke(process.env.REQUESTS_FUNCTION, {
    version: "2.0",
    routeKey,
    pathParameters,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify(body),
    isBase64Encoded: false,
  });
  return answer(result.statusCode, result.statusCode === 200 ? {} : JSON.parse(result.body));
}

async function evidenceOf(id) {
  const prefix = `evidence/${id}/`;
  const read = await eachOf(await objects().list(prefix), async ({ key }) =>
    ({ system: key.slice(prefix.length).replace(/\.json$/, ""), document: await objects().get(key) }));
  return read.filter(({ document }) => document);
}

async function showMetrics(event) {
  await officerOf(event);
  return metrics(await everyRequest(), now());
}

const PAGE = 50;
/** So many records are verified within the time of a call. */
const PIECE = 2000;

async function showAudit(event) {
  await officerOf(event);
  const before = event.queryStringParameters?.before;
  if (before !== undefined && !/^\d{1,12}$/.test(before)) throw new Refusal(400, "BeforeWrong", "`before` is a number");
  const records = (await audit.page(before && Number(before), PAGE)).filter(Boolean);
  const oldest = records.at(-1)?.n;
  return { records, next: oldest > 1 ? oldest : undefined };
}

async function verifyAudit(event) {
  await officerOf(event);
  const after = event.queryStringParameters?.after ?? "0";
  if (!/^\d{1,12}$/.test(after)) throw new Refusal(400, "AfterWrong", "`after` is a number");
  return audit.verify(Number(after), PIECE);
}
