// What an app passes by mistake is told in its own words, before anything is sent.

import assert from "node:assert/strict";
import { test } from "node:test";

import { cosine, InvalidParams } from "speaker-sidecar";

import { appSidecar, resultOf, settle } from "./fakes.mjs";
import { tone } from "./sidecars.mjs";

const samples = new Float32Array(160);
const NUMBERS = [0.5, -0.5, 0.5, -0.5];
const KEPT = { embedding: NUMBERS, fingerprint: "f" };
const BYTES = Buffer.from(Float32Array.from(NUMBERS).buffer);

for (const [what, ask, message] of [
  [
    "another library's name of the rate",
    (it) => it.embed({ samples, sampleRate: 16_000 }),
    /audio\.sampleRate is no field .*: write it as sampleRateHz/,
  ],
  [
    "the wire's name of it",
    (it) => it.embed({ samples, sample_rate_hz: 16_000 }),
    /write it as sampleRateHz/,
  ],
  ["no rate", (it) => it.embed({ samples }), /audio\.sampleRateHz must be a whole number of at/],
  [
    "a rate as a text",
    (it) => it.embed({ samples, sampleRateHz: "48000" }),
    /sampleRateHz must be a whole number .*, not "48000"/,
  ],
  [
    "numbers for samples",
    (it) => it.embed({ samples: [0, 1], sampleRateHz: 16_000 }),
    /audio\.samples must .*: write Float32Array\.from\(samples\)/,
  ],
  [
    "half a channel",
    (it) => it.embed({ ...tone(160), channels: 1.5 }),
    /audio\.channels must be a whole number of at least 1, not 1\.5/,
  ],
  ["a typing error", (it) => it.embed({ path: "a.wav", stratS: 1 }), /audio\.stratS is no field/],
  ["a part from NaN", (it) => it.embed({ path: "a.wav", startS: NaN }), /audio\.startS must/],
  [
    "a part as texts",
    (it) => it.probe({ path: "a.wav", endS: "2" }),
    /audio\.endS must be a finite number/,
  ],
  [
    "a channel's name",
    (it) => it.speech({ path: "a.wav", channel: "left" }),
    /audio\.channel must/,
  ],
  ["strict as a text", (it) => it.embed({ path: "a.wav", strict: "no" }), /strict must be true or/],
  ["a deadline that is NaN", (it) => it.embed("a.wav", { deadlineMs: NaN }), /deadlineMs must be/],
  [
    "a deadline before now",
    (it) => it.health({ deadlineMs: -1 }),
    /deadlineMs must be a finite number of/,
  ],
  [
    "a deadline as a text",
    (it) => it.embed("a.wav", { deadlineMs: "9" }),
    /deadlineMs .*, not "9"/,
  ],
  [
    "a signal that is none",
    (it) => it.embed("a.wav", { signal: {} }),
    /signal must be an AbortSig/,
  ],
  [
    "normalize as a number",
    (it) => it.embed("a.wav", { normalize: 1 }),
    /normalize must be true or/,
  ],
  [
    "speech in other words",
    (it) => it.embed("a.wav", { speech: "some" }),
    /speech must be "auto" or/,
  ],
  ["no windows", (it) => it.embedWindows("a.wav"), /windowS must be a finite number/],
  ["windows without a hop", (it) => it.embedWindows("a.wav", { windowS: 2 }), /hopS must be a/],
  ["a share of 1", (it) => it.score(KEPT, KEPT, { far: 1 }), /far must be a number above 0 and/],
  ["half a speaker", (it) => it.diarize("a.wav", { nSpeakers: 1.5 }), /nSpeakers must be a whole/],
  [
    "no matches",
    (it) => it.people.identify("a.wav", { top: 0 }),
    /top must be a whole number from 1/,
  ],
  ["no audios", (it) => it.embedBatch([]), /audios must hold one audio at least/],
  ["audios that are none", (it) => it.embedBatch("a.wav"), /audios must be an array, not "a.wav"/],
  [
    "too many audios",
    (it) => it.embedBatch(Array(9).fill("a.wav")),
    /9 audios .* at most 8 at once/,
  ],
  [
    "an embedding out of JSON",
    (it) => it.score(JSON.parse(JSON.stringify({ ...KEPT, embedding: samples })), KEPT),
    /a\.embedding must be .*JSON\.stringify makes something else .*Array\.from\(embedding\)/,
  ],
  ["no embedding", (it) => it.score(KEPT, { ...KEPT, embedding: [] }), /b\.embedding must be/],
  ["nulls in it", (it) => it.score(KEPT, { ...KEPT, embedding: ["x"] }), /b\.embedding must be/],
  [
    "no base64",
    (it) => it.score({ ...KEPT, embedding: "ä" }, KEPT),
    /a\.embedding must be .*base64/,
  ],
  [
    "no fingerprint",
    (it) => it.score({ embedding: NUMBERS }, KEPT),
    /a\.fingerprint must be a text/,
  ],
  [
    "speech of NaN",
    (it) => it.score({ ...KEPT, speechS: NaN }, KEPT),
    /a\.speechS must be a finite number/,
  ],
  [
    "one bad embedding of an enrolment",
    (it) => it.people.enroll({ name: "Ada", embeddings: [KEPT, { ...KEPT, embedding: "?" }] }),
    /embeddings\[1\]\.embedding must be/,
  ],
  ["a drain of NaN", (it) => it.close({ drainMs: NaN }), /drainMs must be a finite number/],
]) {
  test(`${what}: refused in the app's words, and nothing is sent`, async () => {
    const { it, newest } = await appSidecar();
    await assert.rejects(ask(it), (error) => {
      assert.ok(error instanceof InvalidParams, String(error));
      assert.match(error.message, message);
      return !/params\.|_/.test(error.message.replace("sample_rate_hz is", ""));
    });
    assert.deepEqual([it.nPending, newest().received], [0, []]);
  });
}

test("what the child refuses is told in the app's words, too", async () => {
  const { it, newest } = await appSidecar();
  const call = it.embed("a.wav");
  const [id] = newest().ids();
  newest().listener.onMessage({
    type: "failure",
    id,
    error: {
      code: -32602,
      message: "params.audio.sample_rate_hz is missing, and params.deadline_ms is not",
      data: { kind: "missing_field" },
    },
  });
  await assert.rejects(call, {
    kind: "missing_field",
    message: "audio.sampleRateHz is missing, and deadlineMs is not",
  });
});

for (const [what, embedding] of Object.entries({
  "its numbers": Float32Array.from(NUMBERS),
  "an array of them": NUMBERS,
  "its bytes": new Uint8Array(BYTES),
  "its bytes as a database gives them": Buffer.concat([Buffer.alloc(1), BYTES]).subarray(1),
  "base64 of them": BYTES.toString("base64"),
})) {
  test(`an embedding that was stored as ${what}`, async () => {
    const { it, newest } = await appSidecar();
    const kept = { embedding, fingerprint: "f" };
    it.score(kept, kept).catch(() => undefined);
    const { a, b } = newest().received[0].params;
    assert.deepEqual([a.embedding, b.embedding], [BYTES, BYTES]);
    assert.equal(cosine(kept, KEPT), 1);
  });
}

test("one bad audio of a batch spoils no other", async () => {
  const { it, newest } = await appSidecar();
  const call = it.embedBatch(["a.wav", { samples }, tone(160), 42]);
  const [request] = newest().received;
  assert.equal(request.params.items.length, 2);
  const { result, error } = errorAndResult();
  newest().answer(request.id, { results: [{ result }, { error }] });
  const items = await call;
  assert.deepEqual(
    items.map(({ status }) => status),
    ["fulfilled", "rejected", "rejected", "rejected"],
  );
  assert.match(items[1].reason.message, /^audios\[1\]\.sampleRateHz must/);
  assert.equal(items[2].reason.kind, "too_short");
  assert.match(items[3].reason.message, /^audios\[3\] must be/);
});

test("a batch of nothing but bad audios asks nobody", async () => {
  const { it, newest } = await appSidecar();
  const items = await it.embedBatch([1, 2]);
  assert.ok(items.every(({ reason }) => reason instanceof InvalidParams));
  assert.deepEqual(newest().received, []);
});

test("a rejection has the stack of the call, each its own", async () => {
  const { it, newest } = await appSidecar();
  const askFirst = () => it.embed("a.wav");
  const askSecond = () => it.people.list();
  const calls = [askFirst(), askSecond()];
  const [first, second] = calls.map((call) => call.catch((error) => error));
  for (const { id } of newest().received) newest().fail(id, -32603, "internal");
  await settle();
  assert.match((await first).stack, /^InternalError: a failure.*\n.*embed.*\n.*askFirst/s);
  assert.match((await second).stack, /^InternalError: a failure[^]*askSecond/);
  // Many calls are rejected with one reason: each tells of its own place.
  const closing = [askFirst(), askSecond()].map((call) => call.catch((error) => error));
  void it.close();
  const [a, b] = await Promise.all(closing);
  assert.match(a.stack, /^Closed: [^]*askFirst/);
  assert.match(b.stack, /^Closed: [^]*askSecond/);
});

function errorAndResult() {
  const { results } = resultOf("child_batch_result");
  return { result: results[0].result, error: results[1].error };
}
