// An app's main process that hears a microphone, to be killed:
// listening_main.mjs main|worker COMMAND ARG...
//
// It tells the child's pid once somebody is heard. What a worker thread has started is not bound to
// the process by the system: it must end by itself.

import { fileURLToPath } from "node:url";
import { isMainThread, Worker } from "node:worker_threads";

import { SpeakerSidecar } from "speaker-sidecar";

const [thread, command, ...args] = process.argv.slice(2);
if (thread === "worker" && isMainThread) {
  new Worker(fileURLToPath(import.meta.url), { argv: process.argv.slice(2) });
} else {
  const sidecar = await SpeakerSidecar.start({ command, args });
  const live = sidecar.live({ sampleRateHz: 16_000, detail: "levels" });
  const samples = Float32Array.from({ length: 1_600 }, (_, n) => 0.3 * Math.sin(n / 8));
  setInterval(() => live.push(samples), 100);
  live.once("turn", () => console.log(sidecar.pid, sidecar.hello.pid));
}
