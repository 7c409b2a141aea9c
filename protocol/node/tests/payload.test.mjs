// What a payload may hold at most.

import assert from "node:assert/strict";
import { test } from "node:test";

import messages from "../dist/messages.js";
import payloads from "../dist/payload.js";
import results from "../dist/results.js";

const answer = (result) => payloads.pack({ jsonrpc: "2.0", id: 1, result });

test("as many windows as a child gives are read", () => {
  const [count, dim] = [20_000, 4];
  const embeddings = new Uint8Array(Float32Array.from({ length: count * dim }, (_, n) => n).buffer);
  const starts_s = Array.from({ length: count }, (_, n) => n / 2);
  const { result } = messages.decodeFromChild(answer({ embeddings, count, dim, starts_s }));
  const read = results.readEmbedWindows(result);
  assert.equal(read.startsS.at(-1), 9_999.5);
  assert.equal(read.embeddings.length, count);
  assert.deepEqual([...read.embeddings.at(-1)], [79_996, 79_997, 79_998, 79_999]);
});

test("as many segments as a child gives are read", () => {
  const embedding = new Uint8Array(Float32Array.of(1, 0).buffer);
  const timings = { decode_ms: 1, queue_ms: 2, compute_ms: 3 };
  const item = (n) => ({ result: { embedding, dim: 2, duration_s: n, timings } });
  const items = Array.from({ length: 4_096 }, (_, n) => item(n));
  const { result } = messages.decodeFromChild(answer({ results: items }));
  const read = results.readBatch(result);
  assert.equal(read.length, 4_096);
  assert.equal(read.at(-1).value.durationS, 4_095);
});

test("an array without end is refused", () => {
  const holding = (length) => payloads.pack({ array: Array(length).fill(0) });
  assert.equal(payloads.unpack(holding(32_768)).array.length, 32_768);
  assert.throws(() => payloads.unpack(holding(32_769)), { name: "ParseError", message: /32769/ });
});
