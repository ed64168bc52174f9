// Drive the official JavaScript client through its operations; print what it saw as one JSON document.
// Usage: node ali_oss.mjs '{"endpoint": ..., "authorizationV4": true, "prefix": ..., "source": ...}'
import OSS from "ali-oss";
import { readFileSync } from "node:fs";

const { prefix, source, ...options } = JSON.parse(process.argv[2]);
const settings = {
  accessKeyId: "test-id",
  accessKeySecret: "test-secret",
  bucket: "examplebucket",
  region: "oss-cn-hangzhou",
  secure: false,
  ...options,
};
const client = new OSS(settings); // an IP endpoint: it puts the bucket into the Host header
const PART = 102400;
const key = (name) => `${prefix}${name}`;
const failure = (error) => ({ code: error.code, status: error.status, requestId: Boolean(error.requestId) });
const caught = (promise) => promise.then(() => null, failure);

async function putHeadGet() {
  const put = await client.put(key("key"), Buffer.from("hello"), {
    mime: "text/csv",
    meta: { name: "value" },
    headers: { "x-oss-storage-class": "IA" },
  });
  const head = await client.head(key("key"));
  const got = await client.get(key("key"));
  const range = await client.get(key("key"), { headers: { Range: "bytes=1-3" } });
  return {
    etag: put.res.headers.etag,
    crc: put.res.headers["x-oss-hash-crc64ecma"],
    meta: head.meta,
    type: head.res.headers["content-type"],
    content: got.content.toString(),
    range: range.content.toString(),
  };
}

async function notThere() {
  return { get: await caught(client.get(key("none"))), head: await caught(client.head(key("none"))) };
}

async function list() {
  for (const name of ["1", "2", "sub/3"]) await client.put(key(`list/${name}`), Buffer.from("x"));
  const names = [];
  let marker;
  do {
    // An undefined marker would be sent as "marker=" and, with V4, not be signed.
    const page = await client.list({ prefix: key("list/"), "max-keys": 2, ...(marker && { marker }) });
    names.push(...page.objects.map((object) => object.name));
    marker = page.nextMarker;
  } while (marker);
  const second = await client.listV2({ prefix: key("list/"), delimiter: "/" });
  return { names, prefixes: second.prefixes, v2: second.objects.map((object) => object.name) };
}

async function multipart() {
  const name = key("parts");
  const { uploadId } = await client.initMultipartUpload(name);
  const done = [];
  for (const number of [1, 2, 3]) {
    const start = (number - 1) * PART;
    const end = Math.min(start + PART, readFileSync(source).length);
    const part = await client.uploadPart(name, uploadId, number, source, start, end);
    done.push({ number, etag: part.etag });
  }
  const uploads = await client.listUploads({ prefix: key("parts") });
  const listed = await client.listParts(name, uploadId, { "max-parts": 2 });
  const completed = await client.completeMultipartUpload(name, uploadId, done);
  const got = await client.get(name);
  return {
    listed: listed.parts.map((part) => [Number(part.PartNumber), part.ETag]),
    sent: done.slice(0, 2).map(({ number, etag }) => [number, etag]),
    found: uploads.uploads.map((upload) => upload.uploadId).includes(uploadId),
    etag: completed.etag,
    equal: got.content.equals(readFileSync(source)),
  };
}

async function abort() {
  const { uploadId } = await client.initMultipartUpload(key("aborted"));
  await client.abortMultipartUpload(key("aborted"), uploadId);
  return caught(client.listParts(key("aborted"), uploadId));
}

// The plan of the test makes part 2 fail once.
async function resumable() {
  let checkpoint;
  const progress = (_, saved) => { checkpoint = saved ?? checkpoint; };
  const how = { partSize: PART, parallel: 1, progress };
  const first = await caught(client.multipartUpload(key("big"), source, how));
  await client.multipartUpload(key("big"), source, { ...how, checkpoint });
  const got = await client.get(key("big"));
  return { failed: first !== null, equal: got.content.equals(readFileSync(source)) };
}

async function theRest() {
  const copied = await client.copy(key("copy"), key("key"));
  await client.putACL(key("key"), "public-read");
  const { acl } = await client.getACL(key("key"));
  await client.putObjectTagging(key("key"), { a: "b" });
  const { tag } = await client.getObjectTagging(key("key"));
  const appended = await client.append(key("log"), Buffer.from("one"));
  const deleted = await client.deleteMulti([key("copy"), key("log")]);
  const info = await client.getBucketInfo("examplebucket");
  return {
    copied: copied.res.status,
    acl,
    tag,
    next: appended.nextAppendPosition,
    deleted: (deleted.deleted ?? []).map((one) => one.Key ?? one),
    bucket: info.bucket.Name,
  };
}

// The client signs no URL for an IP address, so this goes by name and path style.
async function signedURL() {
  const named = new OSS({ ...settings, endpoint: options.endpoint.replace("127.0.0.1", "localhost"), sldEnable: true });
  const url = options.authorizationV4
    ? await named.signatureUrlV4("GET", 60, {}, key("key"))
    : named.signatureUrl(key("key"), { expires: 60 });
  const reply = await fetch(url);
  return { status: reply.status, text: await reply.text() };
}

async function wrongSecret() {
  const other = new OSS({ ...settings, accessKeySecret: "wrong" });
  return caught(other.put(key("key"), Buffer.from("x")));
}

// Behaviour of the real service that issue 15 names, row by row.
async function refusals() {
  const wrong = new OSS({ ...settings, accessKeySecret: "wrong", bucket: "no-such-bucket" });
  const missing = await caught(wrong.get(key("key")));
  const lifecycle = await caught(client.deleteBucketLifecycle("examplebucket"));
  const info = await client.getBucketInfo("examplebucket");
  return { missing, lifecycle: lifecycle.code, still: info.bucket.Name, endpoint: info.bucket.ExtranetEndpoint };
}

async function copiedParts() {
  await client.put(key("source"), source);
  const { uploadId } = await client.initMultipartUpload(key("copied"));
  const from = { sourceKey: key("source"), sourceBucketName: "examplebucket" };
  const part = await client.uploadPartCopy(key("copied"), uploadId, 1, "", from);
  const done = await client.completeMultipartUpload(key("copied"), uploadId, [{ number: 1, etag: part.etag }]);
  const whole = await client.head(key("source"));
  return {
    etag: part.res.headers.etag === part.etag,
    crc: done.res.headers["x-oss-hash-crc64ecma"] === whole.res.headers["x-oss-hash-crc64ecma"],
  };
}

async function symlinks() {
  await client.put(key("target"), Buffer.from("data"));
  await client.putSymlink(key("link"), key("target"));
  const told = await client.getSymlink(key("link"));
  const got = await client.get(key("link"));
  return { target: told.targetName === key("target"), content: got.content.toString() };
}

async function cleanUp() {
  const names = [key("odd/<hello>"), key("odd/a&b")];
  for (const name of names) await client.put(name, Buffer.from("x"));
  const before = await client.getBucketVersions({ prefix: key("odd/") });
  const found = before.objects.map((object) => ({ key: object.name, versionId: object.versionId }));
  await client.deleteMulti(found);
  const after = await client.listV2({ prefix: key("odd/") });
  return {
    found: found.map((one) => one.versionId),
    left: (after.objects ?? []).length,
    versioning: (await client.getBucketVersioning("examplebucket")).versionStatus ?? null,
  };
}

async function encryption() {
  const put = await client.put(key("kms"), Buffer.from("x"), { headers: { "x-oss-server-side-encryption": "KMS" } });
  const next = await client.listUploads({ prefix: key("none") });
  return { keyId: Boolean(put.res.headers["x-oss-server-side-encryption-key-id"]), uploads: next.uploads.length };
}

const cases = {
  putHeadGet, notThere, list, multipart, abort, resumable, theRest, signedURL, wrongSecret,
  refusals, copiedParts, symlinks, cleanUp, encryption,
};
const results = {};
for (const [name, run] of Object.entries(cases)) {
  results[name] = await run().catch((error) => ({ error: String(error.stack ?? error) }));
}
process.stdout.write(JSON.stringify(results));
