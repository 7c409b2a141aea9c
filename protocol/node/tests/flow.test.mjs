// Nothing piles up: memory over many small calls, and the pipe under much audio.
//
// At full length, by hand: FLOW_CALLS=20000 FLOW_AUDIOS=1000 node --test tests/flow.test.mjs

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { inParallel } from "./load.mjs";
import { LIGHT_SKIP, ready, start, tone } from "./sidecars.mjs";

const N_CALLS = Number(process.env.FLOW_CALLS ?? 3_000);
const N_AUDIOS = Number(process.env.FLOW_AUDIOS ?? 100);
const MIB = 2 ** 20;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc");

describe("flow", { skip: LIGHT_SKIP ?? false }, () => {
  test(`memory is flat over ${N_CALLS} small calls`, async (t) => {
    const sidecar = await start(t);
    await ready(sidecar);
    const kept = { embedding: new Float32Array(192).fill(1), fingerprint: "f" };
    const signal = new AbortController().signal;
    const callMany = (n) =>
      inParallel(n, 32, async (index) => {
        if (index % 3 === 0) await sidecar.score(kept, kept, { signal, deadlineMs: 60_000 });
        else if (index % 3 === 1) await sidecar.embed(tone(800), { signal });
        else await assert.rejects(sidecar.embed(tone(10)), { kind: "too_short" });
      });
    const measure = async () => {
      collectGarbage();
      const { heapUsed, external } = process.memoryUsage();
      const { rssBytes } = await sidecar.metrics();
      return { ownMib: (heapUsed + external) / MIB, childMib: rssBytes / MIB };
    };
    // Pools and caches fill first.
    await callMany(1_000);
    const before = await measure();
    await callMany(N_CALLS);
    const after = await measure();
    t.diagnostic(`MiB before ${JSON.stringify(before)}, after ${JSON.stringify(after)}`);
    assert.ok(after.ownMib - before.ownMib < 4, "the client grew");
    assert.ok(after.childMib - before.childMib < 16, "the child grew");
    assert.equal(sidecar.nPending, 0);
  });

  test(`${N_AUDIOS} x 10 s of audio pass, and the pipe never holds more than a frame`, async (t) => {
    const sidecar = await start(t);
    await ready(sidecar);
    const audio = tone(160_000);
    const frameBytes = audio.samples.byteLength + 1_024;
    let mostBuffered = 0;
    const watch = setInterval(
      () => (mostBuffered = Math.max(mostBuffered, sidecar.bufferedBytes)),
      0,
    );
    t.after(() => clearInterval(watch));
    const durations = await inParallel(N_AUDIOS, 64, async () => {
      const call = sidecar.embed(audio);
      mostBuffered = Math.max(mostBuffered, sidecar.bufferedBytes);
      return (await call).durationS;
    });
    assert.deepEqual(new Set(durations), new Set([10]));
    t.diagnostic(`at most ${mostBuffered} bytes were buffered`);
    assert.ok(mostBuffered > 0 && mostBuffered <= frameBytes + 64 * 1_024, String(mostBuffered));
  });
});
