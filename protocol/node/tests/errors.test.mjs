import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import * as api from "speaker-sidecar";

import camelCase from "../dist/camel_case.js";
import errors from "../dist/errors.js";
import messages from "../dist/messages.js";
import payloads from "../dist/payload.js";

const VECTORS = new URL("../../vectors/", import.meta.url);

const CLASSES = {
  cancelled: api.Cancelled,
  deadline_exceeded: api.DeadlineExceeded,
  device_error: api.DeviceError,
  draining: api.Draining,
  gallery_unavailable: api.GalleryUnavailable,
  incompatible_embeddings: api.IncompatibleEmbeddings,
  internal: api.InternalError,
  invalid_params: api.InvalidParams,
  invalid_request: api.InvalidRequest,
  malformed: api.ParseError,
  method_not_found: api.MethodNotFound,
  model_unavailable: api.ModelUnavailable,
  no_speech: api.BadAudio,
  too_many_turns: api.BadAudio,
  out_of_memory: api.OutOfMemory,
  overloaded: api.Overloaded,
  stream_full: api.Overloaded,
  too_short: api.BadAudio,
  unknown_person: api.UnknownPerson,
  unknown_stream: api.UnknownStream,
};

test("each error of the vectors becomes its class", () => {
  const names = readdirSync(VECTORS).filter((name) => /^child_error_.*\.bin$/.test(name));
  assert.equal(names.length, Object.keys(CLASSES).length);
  for (const name of names) {
    const { error } = messages.decodeFromChild(readFileSync(new URL(name, VECTORS)).subarray(4));
    const own = errors.errorFromWire(error);
    const named = CLASSES[name.slice("child_error_".length, -".bin".length)];
    assert.ok(own instanceof named, name);
    assert.equal(own.name, named.errorName);
    assert.deepEqual(
      [own.code, own.kind, own.retryable, own.message],
      [error.code, error.data.kind, error.data.retryable, error.message],
    );
    assert.equal(own.constructor.code, error.code);
    assert.equal(own.constructor.retryable, error.data.retryable, "the class knows it, too");
  }
});

test("details are in camelCase", () => {
  const data = { kind: "overloaded", retryable: true, retry_after_ms: 12, max_in_flight: 256 };
  const { details } = errors.errorFromWire({ code: -32001, message: "full", data });
  assert.deepEqual(details, { retryAfterMs: 12, maxInFlight: 256 });
});

test("a code that this version does not know is kept", () => {
  const own = errors.errorFromWire({ code: -32099, message: "new", data: { retryable: true } });
  assert.ok(own instanceof api.UnknownError);
  assert.deepEqual(
    [own.code, own.kind, own.retryable, own.name],
    [-32099, "unknown", true, "UnknownError"],
  );
});

test("names become camelCase, data does not", () => {
  const wire = {
    a_b: [{ weights_sha256: null, x: 1 }],
    outcomes: { too_short: 1 },
    bin: Buffer.from("a_b"),
  };
  assert.deepEqual(camelCase.camelCased(wire), {
    aB: [{ weightsSha256: null, x: 1 }],
    outcomes: { too_short: 1 },
    bin: Buffer.from("a_b"),
  });
});

test("payloads that no child sends are refused", () => {
  const bad = {
    "no map": Buffer.from([0xc0]),
    "an array": Buffer.from([0x90]),
    "bytes behind it": Buffer.from([0x80, 0x80]),
    "an extension type": Buffer.from([0x81, 0xa1, 0x61, 0xd6, 0xff, 0, 0, 0, 0]),
    "cut short": Buffer.from([0x81, 0xa1]),
  };
  for (const [what, payload] of Object.entries(bad)) {
    assert.throws(() => payloads.unpack(payload), api.ParseError, what);
  }
  const odd = [
    {},
    { jsonrpc: "1.0", method: "health" },
    { jsonrpc: "2.0", id: 1 },
    { jsonrpc: "2.0", id: -1, result: {} },
    { jsonrpc: "2.0", id: 1.5, result: {} },
    { jsonrpc: "2.0", id: 1, error: { message: "no code" } },
    { jsonrpc: "2.0", method: "health", params: [1] },
  ];
  for (const message of odd) {
    const payload = payloads.pack(message);
    assert.throws(() => messages.decodeFromChild(payload), api.ParseError, JSON.stringify(message));
  }
});

test("a field that is undefined is absent", () => {
  const payload = payloads.pack({ a: undefined, b: { c: undefined, d: null } });
  assert.deepEqual(payloads.unpack(payload), { b: { d: null } });
});
