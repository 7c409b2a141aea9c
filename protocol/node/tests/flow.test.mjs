// Nothing piles up: memory over many small calls, and the pipe under much audio.
//
// At full length, by hand: FLOW_CALLS=20000 FLOW_AUDIOS=1000 node --test tests/flow.test.mjs

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { inParallel } from "./load.mjs";
import { LIGHT_SKIP, ready, start, tone } from "./sidecars.mjs";

const N_CALLS = process.env.FLOW_CALLS ?? "3000";
const N_AUDIOS = Number(process.env.FLOW_AUDIOS ?? 100);

describe("flow", { skip: LIGHT_SKIP ?? false }, () => {
  test(`memory is flat over ${N_CALLS} small calls`, (t) => {
    const script = fileURLToPath(new URL("small_calls.mjs", import.meta.url));
    // In a process of its own: the test runner keeps something of each promise.
    const { stdout, stderr } = spawnSync(process.execPath, ["--expose-gc", script, N_CALLS], {
      encoding: "utf8",
    });
    t.diagnostic(stdout.trim());
    assert.notEqual(stdout, "", stderr);
    const { before, after, nPending } = JSON.parse(stdout);
    assert.ok(after.ownMib - before.ownMib < 1, "the client grew");
    assert.ok(after.childMib - before.childMib < 16, "the child grew");
    assert.equal(nPending, 0);
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
