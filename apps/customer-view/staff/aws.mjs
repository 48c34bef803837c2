// Signed calls to AWS's services, with nothing but Node: the functions for staff install nothing.
import { createHash, createHmac } from "node:crypto";

/** Where a service is. */
export const endpoint = (service) =>
  process.env.AWS_ENDPOINT_URL ?? `https://${service}.${process.env.AWS_REGION}.amazonaws.com`;

/** Percent-encodes as AWS's signatures want it. */
export const encode = (text) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

/** A call, signed with the function's own credentials. */
export const signedFetch = (service, method, url, headers = {}, body = "") =>
  fetch(url, { method, headers: signed(service, method, url, headers, body), body: body || undefined });

/** Invokes a function and gives what it returned; throws if it failed. */
export async function invoke(name, payload) {
  const url = new URL(`${endpoint("lambda")}/2015-03-31/functions/${encode(name)}/invocations`);
  const response = await signedFetch("lambda", "POST", url, {}, JSON.stringify(payload));
  const text = await response.text();
  if (response.status !== 200 || response.headers.has("x-amz-function-error")) {
    throw new Error(`invoke ${name}: ${response.status} ${text}`);
  }
  return JSON.parse(text);
}

/** The text of a secret. */
export async function secretText(id) {
  const headers = { "content-type": "application/x-amz-json-1.1", "x-amz-target": "secretsmanager.GetSecretValue" };
  const url = new URL(`${endpoint("secretsmanager")}/`);
  const response = await signedFetch("secretsmanager", "POST", url, headers, JSON.stringify({ SecretId: id }));
  if (response.status !== 200) throw new Error(`secret ${id}: ${response.status} ${await response.text()}`);
  return (await response.json()).SecretString;
}

// Signature Version 4.
function signed(service, method, url, extra, body) {
  const { AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, _X_AMZN_TRACE_ID } = process.env;
  const sha256 = (text) => createHash("sha256").update(text).digest("hex");
  const hmac = (secret, text) => createHmac("sha256", secret).update(text).digest();
  const now = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
  const headers = { ...extra, host: url.host, "x-amz-content-sha256": sha256(body), "x-amz-date": now };
  if (AWS_SESSION_TOKEN) headers["x-amz-security-token"] = AWS_SESSION_TOKEN;
  if (_X_AMZN_TRACE_ID) headers["x-amzn-trace-id"] = _X_AMZN_TRACE_ID; // what follows is of the same journey
  const names = Object.keys(headers).sort();
  const lines = names.map((name) => `${name}:${headers[name]}\n`).join("");
  const canonical = [method, url.pathname, url.search.slice(1), lines, names.join(";"), sha256(body)].join("\n");
  const scope = [now.slice(0, 8), AWS_REGION, service, "aws4_request"];
  const day = scope.reduce(hmac, `AWS4${AWS_SECRET_ACCESS_KEY}`);
  const text = ["AWS4-HMAC-SHA256", now, scope.join("/"), sha256(canonical)].join("\n");
  const credential = `Credential=${AWS_ACCESS_KEY_ID}/${scope.join("/")}`;
  const signature = hmac(day, text).toString("hex");
  headers.authorization = `AWS4-HMAC-SHA256 ${credential}, SignedHeaders=${names.join(";")}, Signature=${signature}`;
  delete headers.host; // fetch sets it
  headers.connection = "close"; // a connection does not survive the pause between two invocations
  return headers;
}
