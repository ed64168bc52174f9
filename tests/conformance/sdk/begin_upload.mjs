// Begin a multipart upload with the official JavaScript client; the test kills it half-way.
// Usage: node begin_upload.mjs ENDPOINT KEY FILE
import OSS from "ali-oss";

const [endpoint, key, file] = process.argv.slice(2);
const client = new OSS({
  accessKeyId: "test-id",
  accessKeySecret: "test-secret",
  authorizationV4: true,
  bucket: "examplebucket",
  endpoint,
  region: "oss-cn-hangzhou",
  secure: false,
});
await client.multipartUpload(key, file, { partSize: 102400, parallel: 3 });
