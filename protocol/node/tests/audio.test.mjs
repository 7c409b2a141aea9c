// The forms of audio, and what becomes of their bytes. What a sidecar makes of them: methods.test.mjs.

import assert from "node:assert/strict";
import { resolve } from "node:path";
import { test } from "node:test";
import { runInNewContext } from "node:vm";

import { InvalidParams } from "speaker-sidecar";

import audio from "../dist/audio.js";

const VALUES = [0.25, -0.5, 1];
const F32LE = Buffer.from("0000803e000000bf0000803f", "hex");

test("samples are taken where they lie, whatever holds them", () => {
  const shared = new Float32Array(new SharedArrayBuffer(32), 8, 3);
  shared.set(VALUES);
  const inTheMiddle = new Float32Array([9, 9, ...VALUES, 9]).subarray(2, 5);
  const elsewhere = runInNewContext(`new Float32Array(${JSON.stringify(VALUES)})`);
  for (const samples of [Float32Array.from(VALUES), shared, inTheMiddle, elsewhere]) {
    const wire = audio.audioToWire({ samples, sampleRateHz: 48_000 });
    assert.deepEqual(Buffer.from(wire.pcm), F32LE);
    assert.deepEqual([wire.encoding, wire.sample_rate_hz, wire.channels], ["f32le", 48_000, 1]);
  }
  const integers = new Int16Array([7, 1, -2]).subarray(1);
  const wire = audio.audioToWire({ samples: integers, sampleRateHz: 8_000, channels: 2 });
  assert.deepEqual(Buffer.from(wire.pcm), Buffer.from("0100feff", "hex"));
  assert.deepEqual([wire.encoding, wire.channels], ["s16le", 2]);
});

test("an AudioBuffer's channels are interleaved, its part kept", () => {
  const channels = [Float32Array.from([1, 2]), Float32Array.from([3, 4])];
  const buffer = {
    sampleRate: 44_100,
    numberOfChannels: 2,
    getChannelData: (index) => channels[index],
  };
  const { pcm, ...rest } = audio.audioToWire({ buffer, startS: 1 });
  assert.deepEqual([...audio.floatsOf(pcm)], [1, 3, 2, 4]);
  assert.deepEqual(rest, {
    encoding: "f32le",
    sample_rate_hz: 44_100,
    channels: 2,
    start_s: 1,
  });
  assert.deepEqual(audio.audioToWire(buffer).pcm, pcm);
});

test("a file's bytes may lie anywhere", () => {
  const file = Buffer.from("RIFF and more").subarray(1, 9);
  assert.deepEqual(audio.audioToWire(file), { file });
  assert.deepEqual(audio.audioToWire({ file, endS: 2 }), { file, end_s: 2 });
  const asked = { channel: 1, strict: true };
  assert.deepEqual(audio.audioToWire({ file, ...asked }), { file, ...asked });
  const bytes = new Uint8Array([1, 2, 3]);
  assert.deepEqual(audio.audioToWire(bytes.buffer), { file: bytes });
});

test("a path becomes absolute", () => {
  for (const form of ["a.wav", { path: "a.wav" }]) {
    assert.deepEqual(audio.audioToWire(form), { path: resolve("a.wav") });
  }
});

test("a path that is no UTF-8 is sent as its bytes", () => {
  const path = Buffer.from("/gr\xfcn.wav", "latin1");
  assert.deepEqual(audio.audioToWire({ path, endS: 2 }), { path, end_s: 2 });
});

test("floats are read from bytes that are not aligned", () => {
  for (const offset of [0, 1, 2, 3]) {
    const bytes = Buffer.concat([Buffer.alloc(offset), F32LE]).subarray(offset);
    assert.deepEqual([...audio.floatsOf(bytes)], VALUES);
  }
});

test("what is no audio is refused, with what would be", () => {
  const none = {
    "samples without a rate": new Float32Array(3),
    "integers without a rate": new Int16Array(3),
    "a DataView": new DataView(new ArrayBuffer(4)),
    "an array": [1, 2],
    "an array in place of samples": { samples: [1, 2], sampleRateHz: 16_000 },
    "doubles in place of samples": { samples: new Float64Array(2), sampleRateHz: 16_000 },
    "an array in place of a file": { file: [1, 2] },
    "an ArrayBuffer in place of an AudioBuffer": { buffer: new ArrayBuffer(4) },
    "null in place of an AudioBuffer": { buffer: null },
    "a number in place of a path": { path: 3 },
    "an empty object": {},
    nothing: undefined,
    null: null,
  };
  for (const [what, value] of Object.entries(none)) {
    assert.throws(
      () => audio.audioToWire(value),
      (error) => {
        assert.ok(error instanceof InvalidParams, `${what}: ${error}`);
        return /must be .*Float32Array|must be \{samples/.test(error.message);
      },
    );
  }
  assert.throws(() => audio.audioToWire(new Float32Array(3)), /not Float32Array/);
});
