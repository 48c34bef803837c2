// GET /cart/{id} and PUT /cart/{id} {"items": {"enamel-mug": 2}}
import { readFileSync } from "node:fs";
import { cartCookie, readCart } from "./cookie.mjs";

const products = JSON.parse(readFileSync(new URL("../products.json", import.meta.url), "utf8"));
const known = new Set(products.map((product) => product.id));
const MOST_OF_ONE = 20;

export async function handler(event, context) {
  const answer = (statusCode, body, cookies = []) => ({
    statusCode,
    headers: {
      "content-type": "application/json",
      "cache-control": "no-store",
      "x-function": context.functionName,
    },
    cookies,
    body: JSON.stringify(body),
  });

  const { id } = event.pathParameters;
  if (event.requestContext.http.method === "GET") {
    const cart = readCart(event);
    return answer(200, cart?.id === id ? cart : { id, items: {} });
  }

  const items = parseItems(event);
  const problem = problemWith(items);
  if (problem) return answer(400, { message: problem });
  const cart = { id, items };
  return answer(200, cart, [cartCookie(cart)]);
}

function parseItems(event) {
  const body = event.isBase64Encoded ? Buffer.from(event.body, "base64").toString("utf8") : event.body;
  try {
    return JSON.parse(body).items;
  } catch {
    return undefined;
  }
}

function problemWith(items) {
  if (items === null || typeof items !== "object" || Array.isArray(items)) {
    return 'send {"items": {"<product id>": <how many>}}';
  }
  for (const [id, count] of Object.entries(items)) {
    if (!known.has(id)) return `we do not sell "${id}"`;
    if (!Number.isInteger(count) || count < 1 || count > MOST_OF_ONE) {
      return `we sell 1 to ${MOST_OF_ONE} of "${id}" at a time`;
    }
  }
  return undefined;
}
