// The golden vectors, as protocol/vectors/README.md says that a host must read and write them.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import framing from "../dist/framing.js";
import messages from "../dist/messages.js";
import payloads from "../dist/payload.js";

const FOLDER = new URL("../../vectors/", import.meta.url);

const VECTORS = readdirSync(FOLDER)
  .filter((name) => name.endsWith(".json"))
  .map((name) => ({
    name: name.replace(".json", ""),
    ...JSON.parse(readFileSync(new URL(name, FOLDER), "utf8")),
    bytes: readFileSync(new URL(name.replace(".json", ".bin"), FOLDER)),
  }));
const TO_HOST = VECTORS.filter(({ direction }) => direction === "child_to_host");
const TO_CHILD = VECTORS.filter(({ direction }) => direction === "host_to_child");

/** The payloads, and how the stream ends, in the words of the vectors. */
function cut(stream, nBytes) {
  const decoder = new framing.FrameDecoder();
  const found = [];
  try {
    for (let start = 0; start < stream.length; start += nBytes) {
      for (const payload of decoder.feed(stream.subarray(start, start + nBytes)))
        found.push(payload);
    }
  } catch (error) {
    assert.equal(error.kind, "frame_length");
    return { found, end: "fatal" };
  }
  return { found, end: decoder.pendingBytes > 0 ? "cut" : "continues" };
}

function asJson(value) {
  if (ArrayBuffer.isView(value)) return { $bin: Buffer.from(value).toString("base64") };
  if (Array.isArray(value)) return value.map(asJson);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, asJson(inner)]));
}

function chunkSizes({ length }) {
  return length < 4096 ? [1, 2, 3, Math.max(length, 1)] : [997, length];
}

test("there are vectors in both directions", () => {
  assert.ok(TO_HOST.length >= 25, String(TO_HOST.length));
  assert.ok(TO_CHILD.length >= 60, String(TO_CHILD.length));
});

for (const { name, bytes, stream, messages: expected } of TO_HOST) {
  test(`towards the host: ${name}`, () => {
    for (const nBytes of chunkSizes(bytes)) {
      const { found, end } = cut(bytes, nBytes);
      assert.equal(end, stream);
      assert.deepEqual(
        found.map((payload) => asJson(payloads.unpack(payload))),
        expected,
      );
      for (const payload of found) {
        assert.ok(["result", "failure", "notice"].includes(messages.decodeFromChild(payload).type));
      }
    }
  });
}

// Towards the child the framing is the same, and what this client can say it says as the vectors do.
for (const { name, bytes, stream, messages: expected, cut_at: cuts = [bytes.length] } of TO_CHILD) {
  test(`towards the child: ${name}`, () => {
    for (const length of cuts) {
      const part = bytes.subarray(0, length);
      for (const nBytes of chunkSizes(part)) {
        const { found, end } = cut(part, nBytes);
        assert.equal(end, stream);
        assert.equal(found.length, expected.length);
        found.forEach((payload, index) => checkEncoding(payload, expected[index]));
      }
    }
  });
}

function checkEncoding(payload, { request, cancel }) {
  if (!request && !cancel) return;
  const message = payloads.unpack(payload);
  const encoded = request
    ? messages.encodeRequest(message.id, message.method, message.params ?? {})
    : messages.encodeCancel(message.params.id);
  const own = payloads.unpack(framingOf(encoded));
  assert.deepEqual(own, request ? { ...message, params: message.params ?? {} } : message);
  if (request) assert.deepEqual([own.id, own.method], [request.id, request.method]);
  else assert.equal(own.params.id, cancel.id);
}

/** What comes out of the decoder when `payload` went through the encoder. */
function framingOf(payload) {
  return [...new framing.FrameDecoder().feed(framing.encodeFrame(payload))][0];
}
