// The same promises as tests/protocol/test_framing.py.

import assert from "node:assert/strict";
import { test } from "node:test";

import { FramingError } from "speaker-sidecar";

import framing from "../dist/framing.js";

const { encodeFrame, FrameDecoder, HEADER_BYTES, MAX_FRAME_BYTES } = framing;

const PAYLOADS = [
  Buffer.from("a"),
  Buffer.alloc(300, 7),
  Buffer.from([0, 0, 0, 0]),
  Buffer.alloc(70_000, 1),
];
const STREAM = Buffer.concat(PAYLOADS.map((payload) => encodeFrame(payload)));

function decodeInChunks(stream, nBytes, decoder = new FrameDecoder()) {
  const payloads = [];
  for (let start = 0; start < stream.length; start += nBytes) {
    payloads.push(...decoder.feed(stream.subarray(start, start + nBytes)));
  }
  return payloads;
}

test("a frame is its length, little-endian, and its payload", () => {
  assert.deepEqual(encodeFrame(Buffer.from("abc")), Buffer.from([3, 0, 0, 0, 97, 98, 99]));
});

test("the payloads are the same however the stream is cut", () => {
  for (const nBytes of [1, 2, 3, 4, 5, 7, 64, 4096, 65_537, STREAM.length]) {
    assert.deepEqual(decodeInChunks(STREAM, nBytes), PAYLOADS, `chunks of ${nBytes} bytes`);
  }
});

test("a payload stays what it was when more comes", () => {
  const decoder = new FrameDecoder();
  const [first] = decoder.feed(encodeFrame(Buffer.from("first")));
  assert.deepEqual([...decoder.feed(encodeFrame(Buffer.from("later")))].map(String), ["later"]);
  assert.equal(String(first), "first");
});

test("pending bytes are those without a whole frame", () => {
  const decoder = new FrameDecoder();
  assert.deepEqual([...decoder.feed(STREAM.subarray(0, HEADER_BYTES))], []);
  assert.equal(decoder.pendingBytes, HEADER_BYTES);
  assert.equal([...decoder.feed(STREAM.subarray(HEADER_BYTES))].length, PAYLOADS.length);
  assert.equal(decoder.pendingBytes, 0);
});

test("payloads that were not iterated over come first in the next call", () => {
  const decoder = new FrameDecoder();
  decoder.feed(encodeFrame(Buffer.from("one")));
  assert.deepEqual([...decoder.feed(encodeFrame(Buffer.from("two")))].map(String), ["one", "two"]);
});

test("a bad length is fatal, after the payloads before it, and stays so", () => {
  for (const length of [0, MAX_FRAME_BYTES + 1, 2 ** 32 - 1]) {
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt32LE(length);
    const decoder = new FrameDecoder();
    const payloads = [];
    const read = (data) => {
      for (const payload of decoder.feed(data)) payloads.push(payload);
    };
    const isFatal = (error) =>
      error instanceof FramingError &&
      error.kind === "frame_length" &&
      error.message.includes(String(length));
    assert.throws(() => read(Buffer.concat([encodeFrame(Buffer.from("good")), header])), isFatal);
    assert.deepEqual(payloads.map(String), ["good"]);
    assert.throws(() => read(Buffer.from("more")), isFatal);
  }
});

test("the longest length is none", () => {
  const decoder = new FrameDecoder(10);
  assert.equal([...decoder.feed(encodeFrame(Buffer.alloc(10), 10))].length, 1);
  assert.throws(() => [...decoder.feed(encodeFrame(Buffer.alloc(11)))], FramingError);
  assert.throws(() => encodeFrame(Buffer.alloc(11), 10), FramingError);
  assert.throws(() => encodeFrame(Buffer.alloc(0)), FramingError);
});

test("a hostile length costs no memory", () => {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32LE(MAX_FRAME_BYTES);
  const decoder = new FrameDecoder();
  const before = process.memoryUsage().arrayBuffers;
  assert.deepEqual([...decoder.feed(header)], []);
  assert.ok(process.memoryUsage().arrayBuffers - before < 2 ** 20);
});
