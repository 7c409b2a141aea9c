// Large frames: how they are made, how they go into the pipe, and what more than that is told.

import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { InvalidParams, Overloaded } from "speaker-sidecar";

import writers from "../dist/frame_writer.js";
import framing from "../dist/framing.js";
import payloads from "../dist/payload.js";

import { appSidecar } from "./fakes.mjs";
import { ready, start } from "./sidecars.mjs";

const CHILD = fileURLToPath(new URL("stand_in_child.mjs", import.meta.url));
const MB = 1_000_000;

test("a payload in pieces is the payload, its long bins not copied", () => {
  const pcm = Buffer.alloc(100_000, 7);
  const short = Buffer.of(1, 2, 3);
  const message = {
    id: 3,
    params: {
      items: [{ pcm, channels: 1, start_s: undefined }, { file: short }, { path: "/ä.wav" }],
      rate: 0.5,
      none: undefined,
      nil: null,
      deep: { a: [1, [pcm]] },
    },
  };
  const pieces = payloads.packInPieces(message);
  assert.equal(pieces.filter((piece) => piece === pcm).length, 2);
  const decoded = payloads.unpack(Buffer.concat(pieces));
  assert.deepEqual(decoded, payloads.unpack(Buffer.from(payloads.pack(message))));
  const small = { id: 1, params: { pcm: short } };
  assert.deepEqual(payloads.packInPieces(small), [payloads.pack(small)]);
  const [payload] = new framing.FrameDecoder().feed(framing.encodeFrame(pieces));
  assert.deepEqual(payload, Buffer.concat(pieces));
});

/** The milliseconds of the processor that `task` takes, whatever else the machine does. */
function processorMs(task) {
  const before = process.cpuUsage();
  task();
  return millisecondsSince(before);
}

function millisecondsSince(usage) {
  const { user, system } = process.cpuUsage(usage);
  return (user + system) / 1_000;
}

/** A pipe that takes a chunk when the test says. */
function slowPipe() {
  const taken = [];
  const waiting = [];
  const stream = new Writable({
    write(chunk, _, done) {
      waiting.push(() => {
        taken.push(chunk);
        done();
      });
    },
  });
  const takeOne = async () => {
    waiting.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { stream, taken, takeOne };
}

test("a long frame goes in slices, each when the one before has gone", async () => {
  const { stream, taken, takeOne } = slowPipe();
  let nEmpty = 0;
  const writer = new writers.FrameWriter(stream, () => (nEmpty += 1));
  const long = Buffer.alloc(2.5 * 2 ** 20, "long");
  writer.write(long);
  writer.write(Buffer.from("next"));
  assert.equal(stream.writableLength, 2 ** 20, "one slice is in the pipe");
  assert.equal(writer.bufferedBytes, long.length + 4);
  assert.equal(writer.isEmpty, false);
  for (let n = 0; n < 4; n++) await takeOne();
  assert.deepEqual(
    taken.map(({ length }) => length),
    [2 ** 20, 2 ** 20, 2 ** 19, 4],
  );
  assert.ok(Buffer.concat(taken).equals(Buffer.concat([long, Buffer.from("next")])));
  assert.deepEqual([writer.isEmpty, writer.bufferedBytes], [true, 0]);
  assert.ok(nEmpty >= 1);
});

test("the end drops what is not in the pipe yet", async () => {
  const { stream, taken, takeOne } = slowPipe();
  const writer = new writers.FrameWriter(stream, () => undefined);
  writer.write(Buffer.alloc(8 * 2 ** 20));
  writer.end();
  await takeOne();
  assert.deepEqual([taken.length, stream.writableFinished], [1, true]);
});

test("more than a frame holds is told in megabytes, with the ways out", async () => {
  const limits = { max_frame_bytes: 64 * 2 ** 20, max_in_flight: 8, max_batch_items: 8 };
  const { it, newest } = await appSidecar({ limits });
  const audio = { samples: new Float32Array(17 * MB), sampleRateHz: 48_000 };
  await assert.rejects(it.embed(audio), (error) => {
    assert.ok(error instanceof InvalidParams);
    assert.equal(error.kind, "too_large");
    assert.match(error.message, /68\.0 MB, .* 67\.1 MB at once: .* path .*or send it in parts/);
    return error.details.maxFrameBytes === limits.max_frame_bytes;
  });
  assert.deepEqual([it.nPending, newest().received], [0, []]);
});

test("8 x 50 MB: every call settles, and the event loop is never held for long", async (t) => {
  const it = await start(t, { command: process.execPath, args: [CHILD, "serve"] });
  await ready(it);
  const audio = { samples: new Float32Array((50 * MB) / 4), sampleRateHz: 16_000 };
  // Between two turns of the event loop: what this process computed.
  let [longestTurnMs, last] = [0, process.cpuUsage()];
  const turns = setInterval(() => {
    longestTurnMs = Math.max(longestTurnMs, millisecondsSince(last));
    last = process.cpuUsage();
  }, 1);
  const callMs = [];
  const calls = [];
  for (let n = 0; n < 8; n++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    let call;
    callMs.push(processorMs(() => (call = it.embed(audio))));
    calls.push(call.then(({ dim }) => dim).catch((error) => error));
  }
  const settled = await Promise.all(calls);
  clearInterval(turns);
  // 256 MiB may wait.
  const refused = settled.filter((outcome) => outcome instanceof Overloaded);
  const done = settled.filter((outcome) => outcome === 4);
  assert.deepEqual([done.length >= 5, done.length + refused.length], [true, 8]);
  assert.equal(it.bufferedBytes, 0);
  const [least, , , median] = callMs.sort((a, b) => a - b);
  const shown = [least, median, longestTurnMs].map((ms) => ms.toFixed(1));
  t.diagnostic(`a call: ${shown[0]} ms at least, ${shown[1]} median; longest turn ${shown[2]} ms`);
  // A call holds it for one copy of the samples, and not for two.
  const bytes = new Uint8Array(audio.samples.buffer);
  const copyMs = Array.from({ length: 8 }, () => processorMs(() => Buffer.from(bytes)));
  t.diagnostic(`a copy: ${Math.min(...copyMs).toFixed(1)} ms at least`);
  assert.ok(least < 1.8 * Math.min(...copyMs), `a call took ${least} ms of the processor`);
  assert.ok(longestTurnMs < 150, `a turn of the event loop took ${longestTurnMs} ms`);
});

test("withdrawn while it is written, a large frame still leaves the pipe whole", async (t) => {
  const it = await start(t, { command: process.execPath, args: [CHILD, "serve"] });
  await ready(it);
  const audio = { samples: new Float32Array((20 * MB) / 4), sampleRateHz: 16_000 };
  const controller = new AbortController();
  const call = it.embed(audio, { signal: controller.signal });
  controller.abort();
  await assert.rejects(call, { name: "Cancelled" });
  assert.equal(it.nPending, 0);
  assert.equal((await it.embed(audio)).dim, 4);
});
