// Errors on their way out of a process: as JSON, as a structured clone, through Electron's IPC.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { MessageChannel, receiveMessageOnPort } from "node:worker_threads";

import * as api from "speaker-sidecar";

const require = createRequire(import.meta.url);
const cjs = require("speaker-sidecar");

const CLASSES = Object.values(api).filter(
  (value) => typeof value === "function" && value.errorName !== undefined,
);
const THROWN = CLASSES.filter((type) => type !== api.SidecarError);

const long = { durationS: 0.1, minDurationS: 0.5 };
const anError = () => new api.BadAudio("it lasts 0.1 s: record\nmore", "too_short", long);

test("every class has its name as a word of its own", () => {
  assert.ok(THROWN.length >= 23);
  for (const type of THROWN) {
    const error = new type("why");
    assert.equal(error.name, type.errorName);
    assert.equal(api[error.name], type);
    assert.equal(String(error), `${error.name}: why`);
    assert.ok(error.stack.startsWith(`${error.name}: why\n    at `), error.stack);
  }
});

test("an error as JSON is one again where it was read", () => {
  const error = api.restoreError(JSON.parse(JSON.stringify(anError())));
  assert.ok(error instanceof api.BadAudio);
  assert.deepEqual(error.toJSON(), anError().toJSON());
  assert.deepEqual(error.details, long);
});

for (const [what, send] of [
  ["a structured clone", structuredClone],
  [
    "a message port",
    (value) => {
      const { port1, port2 } = new MessageChannel();
      port1.postMessage(value);
      const { message } = receiveMessageOnPort(port2);
      port1.close();
      return message;
    },
  ],
  [
    "Electron's invoke",
    (error) => new Error(`Error invoking remote method 'embed': ${error.toString()}`),
  ],
]) {
  test(`class, kind and message survive ${what}`, () => {
    for (const sent of [anError(), ...THROWN.map((type) => new type("what: to do"))]) {
      const error = api.restoreError(send(sent));
      assert.ok(error !== null, sent.name);
      assert.deepEqual(
        [error.name, error.kind, error.message, error.code, error.retryable],
        [sent.name, sent.kind, sent.message, sent.code, sent.retryable],
      );
    }
  });
}

test("what is none of ours is none", () => {
  const others = [
    null,
    undefined,
    "BadAudio: no",
    {},
    new Error("no"),
    new TypeError("BadAudios: no"),
    { name: "TypeError", kind: "a", message: "b" },
    new Error("Error invoking remote method 'embed': TypeError: no"),
  ];
  for (const other of others) assert.equal(api.restoreError(other), null, String(other));
});

test("import and require: two builds, and one identity of each class", () => {
  assert.deepEqual(Object.keys(api).sort(), Object.keys(cjs).sort());
  for (const { errorName } of CLASSES) {
    for (const other of THROWN) {
      const [ours, theirs] = [new other("why"), new cjs[other.errorName]("why")];
      const isOne = ours instanceof api[errorName];
      assert.equal(theirs instanceof api[errorName], isOne, `${other.errorName} ${errorName}`);
      assert.equal(ours instanceof cjs[errorName], isOne);
    }
  }
  assert.ok(new cjs.ProtocolMismatch("why") instanceof api.ChildGone);
  assert.ok(!(new Error("why") instanceof api.SidecarError));
  assert.ok(![null, undefined, 3, {}].some((value) => value instanceof api.SidecarError));
});

test("an app's own class below one of these is its own", () => {
  class Mine extends api.BadAudio {}
  assert.ok(new Mine("why") instanceof api.BadAudio);
  assert.ok(new Mine("why") instanceof Mine);
  assert.ok(!(anError() instanceof Mine));
});
