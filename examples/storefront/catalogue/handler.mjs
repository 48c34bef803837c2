// GET /products[?kind=home] and GET /products/{id}
import { readFileSync } from "node:fs";

const products = JSON.parse(readFileSync(new URL("../products.json", import.meta.url), "utf8"));

export async function handler(event, context) {
  const answer = (statusCode, body) => ({
    statusCode,
    headers: { "content-type": "application/json", "x-function": context.functionName },
    body: JSON.stringify(body),
  });

  const id = event.pathParameters?.id;
  if (id === undefined) {
    const kind = event.queryStringParameters?.kind;
    return answer(200, { products: products.filter((product) => !kind || product.kind === kind) });
  }

  const product = products.find((candidate) => candidate.id === id);
  return product ? answer(200, product) : answer(404, { message: `we do not sell "${id}"` });
}
