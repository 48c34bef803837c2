// How the functions for staff answer: JSON, and refusals by a name that programs can tell apart.

/** What is refused, by status and name; `facts` are members of the answer. */
export class Refusal extends Error {
  constructor(status, name, message, facts = {}) {
    super(message);
    Object.assign(this, { status, code: name, facts });
  }
}

const HEADERS = {
  "content-type": "application/json",
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
};

/** An answer of JSON. */
export const answer = (statusCode, body, more = {}) => ({
  statusCode,
  ...more,
  headers: { ...HEADERS, ...more.headers },
  body: JSON.stringify(body),
});

/** A handler for `routes`: `{"GET /persons/{id}": async (event) => body or answer}`. */
export const serve = (routes) => async (event) => {
  const route = routes[event.routeKey];
  try {
    if (!route) throw new Refusal(404, "RouteUnknown", `nothing is at ${event.routeKey}`);
    const result = await route(event);
    return result?.statusCode ? result : answer(200, result);
  } catch (error) {
    return refused(error, event);
  }
};

function refused(error, event) {
  if (error instanceof Refusal) {
    return answer(error.status, { error: error.code, message: error.message, ...error.facts });
  }
  console.error(`${event.routeKey}: ${error.stack}`);
  return answer(500, { error: "Internal", message: "this is our fault; the log tells more" });
}

const MOST_BODY = 64 * 1024;

/** The body as an object. */
export function bodyOf(event) {
  const text = event.isBase64Encoded ? Buffer.from(event.body ?? "", "base64").toString() : (event.body ?? "");
  if (text.length > MOST_BODY) throw new Refusal(413, "BodyTooLarge", `send at most ${MOST_BODY} bytes`);
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    body = undefined;
  }
  if (body === null || typeof body !== "object" || Array.isArray(body)) {
    throw new Refusal(400, "BodyNotJson", "send a JSON object");
  }
  return body;
}

/** A member that has to be a text of some length. */
export function textOf(body, name, most = 500) {
  const value = body[name];
  if (typeof value !== "string" || value.trim() === "" || value.length > most) {
    throw new Refusal(400, "MemberWrong", `\`${name}\` has to be a text of 1 to ${most} characters`);
  }
  return value.trim();
}
