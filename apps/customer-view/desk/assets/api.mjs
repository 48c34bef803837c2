// The calls that the desk makes. The session is a cookie that no script can read.
const BASE = new URL("./", document.baseURI.replace(/desk\/?(?:[?#].*)?$/, ""));

/** What a call was refused with; `code` is the API's name for it. */
export class Refused extends Error {
  constructor(status, code, message, facts = {}) {
    super(message);
    Object.assign(this, { status, code, facts });
  }
}

/** A call's answer as JSON; throws `Refused`. */
export async function call(method, path, { body, purpose } = {}) {
  const headers = { "x-desk": "1" };
  if (body !== undefined) headers["content-type"] = "application/json";
  if (purpose) headers["x-purpose"] = encodeURIComponent(purpose);
  const response = await send(method, path, headers, body);
  const answer = response.status === 204 ? {} : await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, answer.error ?? "Internal", answer.message ?? response.statusText, answer);
  return answer;
}

async function send(method, path, headers, body) {
  try {
    return await fetch(new URL(path, BASE), { method, headers, body: body && JSON.stringify(body) });
  } catch (error) {
    throw new Refused(0, "Unreachable", error.message);
  }
}

export const get = (path, purpose) => call("GET", path, { purpose });
