// The bucket of invoices, in signed calls that need nothing but Node: this example installs nothing.
// In a project of your own you would use @aws-sdk/client-s3 instead of this file.
import { createHash, createHmac } from "node:crypto";

const { AWS_REGION: region, AWS_ACCESS_KEY_ID: key, AWS_SECRET_ACCESS_KEY: secret } = process.env;
const endpoint = process.env.AWS_ENDPOINT_URL ?? `https://s3.${region}.amazonaws.com`;

export const put = (name, document) => call("PUT", `/${name}`, {}, JSON.stringify(document, null, 2));

export const get = async (name) => JSON.parse(await call("GET", `/${name}`));

export async function list(prefix) {
  const names = [];
  let more = {};
  do {
    const page = await call("GET", "", { "list-type": "2", prefix, ...more });
    names.push(...[...page.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, name]) => name));
    const token = page.match(/<NextContinuationToken>([^<]*)</);
    more = token && { "continuation-token": token[1] };
  } while (more);
  return names;
}

async function call(method, path, parameters = {}, body = "") {
  const url = new URL(`${endpoint}/${process.env.INVOICES}${path}`);
  const names = Object.keys(parameters).sort();
  url.search = names.map((name) => `${name}=${encodeURIComponent(parameters[name])}`).join("&");
  const response = await fetch(url, { method, headers: signed(method, url, body), body: body || undefined });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${url.pathname}: ${response.status} ${text}`);
  return text;
}

// AWS Signature Version 4.
function signed(method, url, body) {
  const sha256 = (text) => createHash("sha256").update(text).digest("hex");
  const hmac = (secret, text) => createHmac("sha256", secret).update(text).digest();
  const now = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
  const headers = { host: url.host, "x-amz-content-sha256": sha256(body), "x-amz-date": now };
  const { AWS_SESSION_TOKEN: token, _X_AMZN_TRACE_ID: trace } = process.env;
  if (token) headers["x-amz-security-token"] = token;
  if (trace) headers["x-amzn-trace-id"] = trace; // so that what follows belongs to the same journey
  const names = Object.keys(headers).sort();
  const lines = names.map((name) => `${name}:${headers[name]}\n`).join("");
  const request = [method, url.pathname, url.search.slice(1), lines, names.join(";"), sha256(body)].join("\n");
  const scope = [now.slice(0, 8), region, "s3", "aws4_request"];
  const day = scope.reduce(hmac, `AWS4${secret}`);
  const signature = hmac(day, ["AWS4-HMAC-SHA256", now, scope.join("/"), sha256(request)].join("\n")).toString("hex");
  headers.authorization =
    `AWS4-HMAC-SHA256 Credential=${key}/${scope.join("/")}, SignedHeaders=${names.join(";")}, Signature=${signature}`;
  delete headers.host; // fetch sets it
  headers.connection = "close"; // a connection does not survive the pause between two invocations
  return headers;
}
