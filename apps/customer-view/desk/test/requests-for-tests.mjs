// Stands for `requests` in the desk's tests: takes an action on a request as its API does, and nothing more.
import { bucket } from "../../staff/objects.mjs";

const STATES = { hold: "held", release: "collecting", refuse: "refused", approve: "completing" };
const answer = (statusCode, body) => ({ statusCode, body: JSON.stringify(body) });

export async function handler({ routeKey, pathParameters: { id }, headers, body }) {
  const by = "officer";
  if (headers.authorization !== "Bearer only-good-on-your-own-machine") return answer(403, { error: "forbidden", message: "no member of staff has this token" });
  const { action, reason, persons } = JSON.parse(body);
  if (routeKey === "PUT /requests/holds/{id}") {
    return answer(200, await bucket(process.env.REQUESTS_BUCKET).update(`holds/${id}.json`, () => ({ format: 1, person: id, reason, by })));
  }
  if (routeKey !== "POST /requests/{id}/actions") return answer(404, { error: "unknown-route", message: routeKey });
  const state = STATES[action];
  if (!state) return answer(400, { error: "unknown-action", message: `\`${action}\` is no action` });
  const at = new Date().toISOString().replace(/\.\d+Z$/, "Z");
  const request = await bucket(process.env.REQUESTS_BUCKET).update(`requests/${id}.json`, (found) =>
    ({ ...found, state, stateAt: at, hold: action === "hold" ? { reason, by, at } : null, ...(persons && { identity: { persons }, doubt: null }) }));
  return answer(200, request);
}
