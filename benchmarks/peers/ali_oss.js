// ali-oss: its multipart upload. Run as `node ali_oss.js WORK` with NODE_PATH set; prints as benchmarks/child.py does.
"use strict";

const fs = require("fs");
const OSS = require("ali-oss");

const work = JSON.parse(process.argv[2]);

function memory(name) {
  const line = fs.readFileSync("/proc/self/status", "ascii").split("\n").find((text) => text.startsWith(`${name}:`));
  return Number(line.split(/\s+/)[1]);
}

async function main() {
  const client = new OSS({
    endpoint: work.url,
    region: "oss-cn-hangzhou",
    accessKeyId: "bench-id",
    accessKeySecret: "bench-secret",
    bucket: "examplebucket",
    authorizationV4: true,
    timeout: 600000,
  });
  fs.writeFileSync("/proc/self/clear_refs", "5");
  const [wall, cpu, resident] = [process.hrtime.bigint(), process.cpuUsage(), memory("VmRSS")];
  await client.multipartUpload("bench/object.bin", work.files[0], {
    partSize: work.part_size,
    parallel: work.threads,
  });
  const used = process.cpuUsage(cpu);
  console.log(
    JSON.stringify({
      wall: Number(process.hrtime.bigint() - wall) / 1e9,
      cpu: (used.user + used.system) / 1e6,
      memory: memory("VmHWM") - resident,
      reported: {},
    }),
  );
}

main();
