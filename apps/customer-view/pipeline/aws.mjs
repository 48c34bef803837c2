// Signed calls that need nothing but Node: this app installs nothing.
// In a project of your own you would use the AWS SDK instead of this file.
import { createHash, createHmac } from "node:crypto";
import http from "node:http";
import https from "node:https";

const sha256 = (data) => createHash("sha256").update(data).digest("hex");
const hmac = (key, text) => createHmac("sha256", key).update(text).digest();

// An object's bytes, or undefined when it is not there.
export async function object(bucket, path) {
  const { status, body } = await call("s3", "GET", `/${bucket}/${path}`);
  if (status === 404) return undefined;
  if (status !== 200) throw new Error(`bucket: GET ${path}: ${status} ${body}`);
  return body;
}

// Puts entries on the bus, in order, ten a call. Those that were not taken are tried again before any that follow.
export async function putEvents(entries) {
  for (let at = 0; at < entries.length; ) {
    const some = entries.slice(at, at + 10);
    const answer = await json("events", "AWSEvents.PutEvents", "1.1", { Entries: some });
    const failed = answer.Entries.findIndex(({ ErrorCode }) => ErrorCode);
    if (failed === 0) throw new Error(`bus: ${JSON.stringify(answer.Entries[0])}`);
    at += failed < 0 ? some.length : failed;
  }
}

// Sends messages to a queue, ten a call.
export async function send(queue, messages) {
  for (let at = 0; at < messages.length; at += 10) {
    const entries = messages.slice(at, at + 10).map((message, id) => ({
      Id: String(id), MessageBody: JSON.stringify(message),
    }));
    const answer = await json("sqs", "AmazonSQS.SendMessageBatch", "1.0", { QueueUrl: queue, Entries: entries });
    if (answer.Failed?.length) throw new Error(`queue: ${JSON.stringify(answer.Failed[0])}`);
  }
}

async function json(service, target, version, request) {
  const headers = { "content-type": `application/x-amz-json-${version}`, "x-amz-target": target };
  const { status, body } = await call(service, "POST", "/", JSON.stringify(request), headers);
  if (status !== 200) throw new Error(`${target}: ${status} ${body}`);
  return JSON.parse(body);
}

// A connection may have been closed while this instance was waiting: such a call is made again.
async function call(service, method, path, body = "", headers = {}) {
  for (let tries = 3; ; tries--) {
    try {
      return await once(service, method, path, body, headers);
    } catch (error) {
      if (tries === 1 || !["ECONNRESET", "EPIPE"].includes(error.code)) throw error;
    }
  }
}

const { AWS_REGION: region = "us-east-1" } = process.env;
const agents = { "http:": new http.Agent({ keepAlive: true }), "https:": new https.Agent({ keepAlive: true }) };

function once(service, method, path, body, headers) {
  const endpoint = process.env.AWS_ENDPOINT_URL ?? `https://${service}.${region}.amazonaws.com`;
  const url = new URL(path, endpoint);
  const client = url.protocol === "http:" ? http : https;
  const options = { method, headers: signed(service, method, url, body, headers), agent: agents[url.protocol] };
  return new Promise((resolve, reject) => {
    const request = client.request(url, options, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("end", () => resolve({ status: response.statusCode, body: Buffer.concat(parts) }));
      response.on("error", reject);
    });
    request.on("error", reject);
    request.end(body);
  });
}

// AWS Signature Version 4.
function signed(service, method, url, body, given) {
  const { AWS_ACCESS_KEY_ID: key, AWS_SECRET_ACCESS_KEY: secret, AWS_SESSION_TOKEN: token } = process.env;
  const now = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
  const headers = { ...given, host: url.host, "x-amz-content-sha256": sha256(body), "x-amz-date": now };
  if (token) headers["x-amz-security-token"] = token;
  // So that what follows belongs to the same journey.
  const { _X_AMZN_TRACE_ID: trace } = process.env;
  if (trace) headers["x-amzn-trace-id"] = trace;
  const names = Object.keys(headers).sort();
  const lines = names.map((name) => `${name}:${headers[name]}\n`).join("");
  const request = [method, url.pathname, url.search.slice(1), lines, names.join(";"), sha256(body)].join("\n");
  const scope = [now.slice(0, 8), region, service, "aws4_request"];
  const day = scope.reduce(hmac, `AWS4${secret}`);
  const signature = hmac(day, ["AWS4-HMAC-SHA256", now, scope.join("/"), sha256(request)].join("\n")).toString("hex");
  headers.authorization =
    `AWS4-HMAC-SHA256 Credential=${key}/${scope.join("/")}, SignedHeaders=${names.join(";")}, Signature=${signature}`;
  return headers;
}
