// Sends a request to a server that speaks S3's language, and says what it answers in the words of boto3.

import http from "node:http";

const agent = new http.Agent({ keepAlive: true });

/** `$etag` and `$next` stand for the last tag and the last continuation token that the server gave. */
export function asker() {
  const last = {};
  const known = (value) => (value === "$etag" ? last.etag : value === "$next" ? last.next : value);
  return async (port, operation, parameters) => {
    const filled = Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, known(value)]));
    const reply = essence(operation, await send(port, ...message(operation, filled)));
    last.etag = reply.ETag ?? last.etag;
    last.next = reply.NextContinuationToken ?? last.next;
    // A token is the server's own business.
    if (reply.NextContinuationToken) reply.NextContinuationToken = "some";
    return reply;
  };
}

/** Method, path, headers and body. `repeat` makes a long key or content. */
function message(operation, { Bucket, Key, Body, IfNoneMatch, IfMatch, repeat, ...list }) {
  const many = (text) => (text !== undefined && repeat ? text.repeat(repeat) : text);
  const path = `/${encodeURIComponent(Bucket)}${Key === undefined ? "" : "/" + many(Key).split("/").map(encodeURIComponent).join("/")}`;
  const headers = {};
  if (IfNoneMatch) headers["If-None-Match"] = IfNoneMatch;
  if (IfMatch) headers["If-Match"] = IfMatch;
  const method = { CreateBucket: "PUT", PutObject: "PUT", GetObject: "GET", HeadObject: "HEAD", DeleteObject: "DELETE" }[operation];
  if (method) return [method, path, headers, Body];
  const names = { Prefix: "prefix", Delimiter: "delimiter", StartAfter: "start-after", ContinuationToken: "continuation-token", MaxKeys: "max-keys" };
  const query = Object.entries(list).map(([name, value]) => `${names[name]}=${encodeURIComponent(value)}`);
  return ["GET", `${path}?${["list-type=2", ...query].join("&")}`, headers, undefined];
}

function send(port, method, path, headers, body) {
  return new Promise((resolve, reject) => {
    const authorization =
      "AWS4-HMAC-SHA256 Credential=golden/20261121/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=none";
    const request = http.request({
      agent,
      host: "127.0.0.1",
      port,
      method,
      path,
      headers: { ...headers, "X-Amz-Date": "20261121T000000Z", Authorization: authorization },
    });
    request.on("error", reject);
    request.on("response", (response) => {
      let text = "";
      response.on("data", (chunk) => (text += chunk));
      response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, text }));
    });
    request.end(body ?? "");
  });
}

const unescaped = (text) =>
  text.replace(/&(lt|gt|quot|apos|#39|#34|amp);/g, (_, name) => ({ lt: "<", gt: ">", quot: '"', "#34": '"', apos: "'", "#39": "'", amp: "&" })[name]);
const all = (text, name) => [...text.matchAll(new RegExp(`<${name}>([^]*?)</${name}>`, "g"))].map((found) => found[1]);
const one = (text, name) => all(text, name).map(unescaped)[0];

function essence(operation, { status, headers, text }) {
  if (status >= 300) return { status, Code: one(text, "Code"), Message: one(text, "Message") };
  const ETag = headers.etag;
  switch (operation) {
    case "PutObject":
      return { status, ETag };
    case "GetObject":
      return { status, ETag, Body: text };
    case "HeadObject":
      return { status, ETag, ContentLength: Number(headers["content-length"]) };
    case "ListObjectsV2":
      return {
        status,
        Contents: all(text, "Contents").map((entry) => ({ Key: one(entry, "Key"), ETag: one(entry, "ETag"), Size: Number(one(entry, "Size")) })),
        CommonPrefixes: all(text, "CommonPrefixes").map((entry) => one(entry, "Prefix")),
        KeyCount: Number(one(text, "KeyCount")),
        IsTruncated: one(text, "IsTruncated") === "true",
        NextContinuationToken: one(text, "NextContinuationToken"),
      };
    default:
      return { status };
  }
}
