// small_calls.mjs N: make N small calls, and tell the memory of client and child before and after.

import { setTimeout } from "node:timers/promises";

import { inParallel } from "./load.mjs";
import { ready, start, tone } from "./sidecars.mjs";

const MIB = 2 ** 20;

const sidecar = await start({ after: () => undefined });
await ready(sidecar);

const kept = { embedding: new Float32Array(192).fill(1), fingerprint: "f" };
const { signal } = new AbortController();

function callMany(n) {
  return inParallel(n, 32, async (index) => {
    if (index % 3 === 0) await sidecar.score(kept, kept, { signal, deadlineMs: 60_000 });
    else if (index % 3 === 1) await sidecar.embed(tone(800), { signal });
    else await sidecar.embed(tone(10)).catch(() => undefined);
  });
}

async function measure() {
  for (let n = 0; n < 3; n++) {
    globalThis.gc();
    await setTimeout(50);
  }
  const { heapUsed, external } = process.memoryUsage();
  const { rssBytes } = await sidecar.metrics();
  return { ownMib: (heapUsed + external) / MIB, childMib: rssBytes / MIB };
}

// What is compiled, pooled and cached comes first.
await callMany(3_000);
const before = await measure();
await callMany(Number(process.argv[2]));
const after = await measure();
console.log(JSON.stringify({ before, after, nPending: sidecar.nPending }));
await sidecar.close();
