// A sidecar with faults: passes frames on to a real one, and fails as it is told.
//
// faulty_child.mjs STARTS_FILE COMMAND ARG...: each start adds a byte to STARTS_FILE. Environment:
//   FAULTS: JSON, an array with an entry for each start; later starts have no fault.
//     {exitCode}: say hello, then end with this code. {rubbishAfter}: write rubbish behind so many
//     answers. {silentAfter}: answer nothing more.
//   POISON_PCM_BYTES: an embed whose pcm has so many bytes kills it, at every start.

import { spawn } from "node:child_process";
import { appendFileSync, readFileSync } from "node:fs";

import framing from "../dist/framing.js";
import payloads from "../dist/payload.js";

const { encodeFrame, FrameDecoder } = framing;

const [startsFile, command, ...args] = process.argv.slice(2);
appendFileSync(startsFile, ".");
const nStarts = readFileSync(startsFile).length;
const fault = JSON.parse(process.env.FAULTS ?? "[]")[nStarts - 1] ?? {};
const poisonPcmBytes = Number(process.env.POISON_PCM_BYTES);

const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
child.on("close", (code) => process.exit(code ?? 70));

const fromHost = new FrameDecoder();
process.stdin.on("data", (data) => {
  for (const payload of fromHost.feed(data)) {
    const { audio } = payloads.unpack(payload).params;
    if (audio?.pcm?.length === poisonPcmBytes) process.kill(process.pid, "SIGSEGV");
    child.stdin.write(encodeFrame(payload));
  }
});
process.stdin.on("end", () => child.stdin.end());

const fromChild = new FrameDecoder();
let nAnswers = 0;
child.stdout.on("data", (data) => {
  for (const payload of fromChild.feed(data)) {
    if (nAnswers >= fault.silentAfter) continue;
    process.stdout.write(encodeFrame(payload));
    if (payloads.unpack(payload).method === "hello" && fault.exitCode) {
      child.kill("SIGKILL");
      process.exit(fault.exitCode);
    }
    nAnswers += payloads.unpack(payload).method === undefined ? 1 : 0;
    if (nAnswers === fault.rubbishAfter)
      process.stdout.write("Traceback (most recent call last):\n");
  }
});
