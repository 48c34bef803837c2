// Who may see personal data: members of staff, each with a token of their own. A program sends it with every
// request (`Authorization: Bearer …`); the desk's page trades it once for a cookie that its scripts cannot read.
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import "../secrets.mjs";
import { secretText } from "./aws.mjs";
import { Refusal } from "./http.mjs";
import { triedWrong } from "./pace.mjs";

const COOKIE = "customer-view-desk";
const EIGHT_HOURS = 8 * 60 * 60;

const ONE_MINUTE = 60 * 1000;

/** The role that may do everything. */
export const OFFICER = "officer";

let held = { until: 0 };

/**
 * Who has which token: the secret `STAFF_SECRET`, `{"name/role": "token"}`, read once a minute, so that a token that is
 * taken out of it is worthless a minute later; without one `STAFF_TOKENS`, `name/role=token` pairs with
 * commas between. `officer` may do everything; `agent` reads and corrects persons. Without a role it is `agent`, the
 * least, unless the name is `officer`. `requests/domain/staff.py` is the same for the API of requests.
 */
async function tokens(now = Date.now()) {
  const { STAFF_SECRET: secret, STAFF_TOKENS: pairs = "" } = process.env;
  if (!secret) return named(pairs.split(",").map((pair) => pair.trim()).map(halves));
  if (held.until <= now) {
    held = { until: now + ONE_MINUTE, tokens: named(Object.entries(JSON.parse(await secretText(secret)))) };
  }
  return held.tokens;
}

// An empty token is nobody's: whoever knows of it could make a session of it.
const named = (entries) => new Map(entries.filter(([who, token]) => who && token).map(([who, token]) => {
  const [name, role] = who.split("/");
  return [name, { name, role: role || (name === OFFICER ? OFFICER : "agent"), token }];
}));

const halves = (pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)];

/** The name of the member of staff who asks; refuses without a token (401) and with a wrong one (403). */
export const staffOf = async (event) => (await memberOf(event)).name;

/** The officer who asks, `{name, token}`; refuses who has another role. */
export async function officerOf(event) {
  const member = await memberOf(event);
  if (member.role === OFFICER) return member;
  throw new Refusal(403, "RoleMissing", "this is for the data-protection officer: the role of your token is another");
}

async function memberOf(event) {
  const bearer = /^Bearer +(\S.*)$/i.exec(event.headers?.authorization ?? "")?.[1];
  if (bearer) return memberWith(bearer, event);
  const session = (event.cookies ?? []).find((cookie) => cookie.startsWith(`${COOKIE}=`));
  if (!session) throw new Refusal(401, "TokenMissing", "send a staff token: `Authorization: Bearer …`");
  guardAgainstForgery(event);
  return memberOfSession(session.slice(COOKIE.length + 1));
}

/** The name of the token's holder. */
export const holderOf = async (token, event) => (await memberWith(token, event)).name;

async function memberWith(token, event) {
  // every token is compared, so that the time says nothing of where it differs
  const found = [...(await tokens()).values()].filter((member) => same(member.token, token));
  if (token && found.length > 0) return found[0];
  await triedWrong(event);
  throw new Refusal(403, "TokenWrong", "no member of staff has this token");
}

/** A cookie that stands for the token of `name` for eight hours, or until the token changes. */
export async function sessionCookie(name, event, now = Date.now()) {
  const payload = `${Buffer.from(name).toString("base64url")}.${Math.floor(now / 1000) + EIGHT_HOURS}`;
  return cookie(`${payload}.${sign(payload, (await tokens()).get(name).token)}`, EIGHT_HOURS, event);
}

/** What takes the cookie away. */
export const endedSession = (event) => cookie("", 0, event);

function cookie(value, life, event) {
  const secure = event.headers?.["x-forwarded-proto"] === "https" ? "; Secure" : "";
  // no path: it is good where the API is, whatever that is below
  return `${COOKIE}=${value}; Max-Age=${life}; HttpOnly; SameSite=Strict${secure}`;
}

async function memberOfSession(value, now = Date.now()) {
  const [name64 = "", until = "", signature = ""] = value.split(".");
  const name = Buffer.from(name64, "base64url").toString();
  const member = (await tokens()).get(name);
  const genuine = member !== undefined && same(sign(`${name64}.${until}`, member.token), signature);
  if (!genuine || Number(until) * 1000 <= now) throw new Refusal(401, "SessionEnded", "sign in again");
  return member;
}

// A cookie goes along with requests that other pages make: what changes something has to bring a header
// that a form cannot send.
function guardAgainstForgery(event) {
  const method = event.requestContext.http.method;
  if (method !== "GET" && event.headers["x-desk"] === undefined) {
    throw new Refusal(403, "HeaderMissing", "changes by a session need the header `x-desk`");
  }
}

const sign = (payload, token) => createHmac("sha256", `desk session of ${token}`).update(payload).digest("base64url");

function same(one, other) {
  const digest = (text) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(one), digest(other));
}
