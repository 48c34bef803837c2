// GET / and GET /assets/{file}
import { createHash, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { readCart } from "../cart/cookie.mjs";
import { renderPage } from "./view.mjs";

const read = (path) => readFileSync(new URL(path, import.meta.url), "utf8");

const products = JSON.parse(read("../products.json"));
const assets = new Map([
  ["shop.css", asset("text/css; charset=utf-8", read("assets/shop.css"))],
  ["shop.mjs", asset("text/javascript; charset=utf-8", read("assets/shop.mjs"))],
]);

function asset(type, body) {
  return { type, body, etag: `"${createHash("sha256").update(body).digest("hex").slice(0, 16)}"` };
}

export async function handler(event, context) {
  const file = event.pathParameters?.file;
  if (file !== undefined) return serveAsset(file, event.headers["if-none-match"]);

  const cart = readCart(event) ?? { id: randomUUID(), items: {} };
  return {
    statusCode: 200,
    headers: {
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-store",
      "content-security-policy": "default-src 'self'; img-src 'self' data:",
      "x-function": context.functionName,
    },
    body: renderPage({ products, cart, functionName: context.functionName }),
  };
}

function serveAsset(file, known) {
  const found = assets.get(file);
  if (!found) return { statusCode: 404, body: "no such file" };
  const headers = { "content-type": found.type, "cache-control": "no-cache", etag: found.etag };
  if (known === found.etag) return { statusCode: 304, headers };
  return { statusCode: 200, headers, body: found.body };
}
