// Speech, quality, and what a cosine means, in the methods of single audios. No process.

import assert from "node:assert/strict";
import { resolve } from "node:path";
import { test } from "node:test";

import { cosine, IncompatibleEmbeddings, InvalidParams, MethodNotFound } from "speaker-sidecar";

import { appSidecar } from "./fakes.mjs";

// As this system has it: Windows puts a drive before it.
const A_WAV = resolve("/a.wav");

const OLD = { capabilities: ["audio.pcm", "embed_segments"], protocol_minor: 1 };
const KEPT = { embedding: Float32Array.of(3, 4), fingerprint: "f" };
const BYTES = Buffer.from(KEPT.embedding.buffer);

test("speech: the segments are those that embedSegments takes", async () => {
  const { it, newest } = await appSidecar();
  const call = it.speech(A_WAV, { deadlineMs: 1_000 });
  assert.deepEqual(newest().received[0].params, { audio: { path: A_WAV }, deadline_ms: 1_000 });
  newest().answerWith("child_speech_result");
  const { segments, speechS, durationS } = await call;
  assert.deepEqual(segments, [
    { startS: 0.5, endS: 2 },
    { startS: 2.75, endS: 4.75 },
  ]);
  assert.deepEqual([speechS, durationS], [3.5, 6]);
  void it.embedSegments(A_WAV, segments).catch(() => undefined);
  assert.deepEqual(newest().received[1].params.segments, [
    [0.5, 2],
    [2.75, 4.75],
  ]);
});

test("speech is an option of embed, embedBatch and score", async () => {
  const { it, newest } = await appSidecar();
  const calls = [
    it.embed(A_WAV, { speech: "auto" }),
    it.embedBatch([A_WAV], { speech: "require" }),
    it.score(A_WAV, KEPT, { speech: "all" }),
    it.embed(A_WAV),
  ];
  calls.forEach((call) => call.catch(() => undefined));
  assert.deepEqual(
    newest().received.map(({ params }) => params.speech),
    ["auto", "require", "all", undefined],
  );
});

test("an embedding comes with the quality of its audio", async () => {
  const { it, newest } = await appSidecar();
  const call = it.embedBatch([A_WAV]);
  newest().answerWith("child_batch_result_with_quality");
  const [{ value }] = await call;
  assert.deepEqual(value.quality.flags, ["silent", "little_speech", "later"]);
  assert.deepEqual([value.quality.speechS, value.quality.levelDbfs], [0, null]);
});

test("no speech is bad audio, with how much there was", async () => {
  const { it, newest } = await appSidecar();
  const call = it.embed(A_WAV, { speech: "auto" });
  newest().fail(newest().ids()[0], -32010, "no_speech", { speech_s: 0.25, needed_s: 0.5 });
  await assert.rejects(call, (error) => {
    assert.deepEqual([error.name, error.kind], ["BadAudio", "no_speech"]);
    assert.deepEqual(error.details, { speechS: 0.25, neededS: 0.5 });
    return true;
  });
});

test("score: where the same person begins, and what the cosine means", async () => {
  const { it, newest } = await appSidecar();
  const call = it.score({ ...KEPT, speechS: 2.5 }, A_WAV, { far: 0.001 });
  assert.deepEqual(newest().received[0].params, {
    a: { embedding: BYTES, fingerprint: "f", speech_s: 2.5 },
    b: { path: A_WAV },
    far: 0.001,
  });
  newest().answerWith("child_score_result_with_meaning");
  const { same, llr, probability, threshold, at, qualityB } = await call;
  assert.deepEqual([same, llr, probability, threshold], [true, 6.5, 0.9985, 1.25]);
  assert.deepEqual([at, qualityB.speechS], ["far 1 %", 3.5]);
});

for (const [what, voice, expected] of [
  ["none", KEPT, undefined],
  ["null", { ...KEPT, speechS: null }, undefined],
  ["its own", { ...KEPT, speechS: 2 }, 2],
  ["that of its quality", { ...KEPT, quality: { speechS: 3 } }, 3],
  ["its own before that of its quality", { ...KEPT, speechS: 0, quality: { speechS: 3 } }, 0],
  ["a quality that does not know", { ...KEPT, quality: { speechS: null } }, undefined],
]) {
  test(`the speech of a stored embedding: ${what}`, async () => {
    const { it, newest } = await appSidecar();
    it.score(voice, KEPT).catch(() => undefined);
    assert.equal(newest().received[0].params.a.speech_s, expected);
  });
}

test("an embedding that is a view is sent as what it shows", async () => {
  const { it, newest } = await appSidecar();
  const embedding = new Float32Array([9, 3, 4, 9]).subarray(1, 3);
  it.score({ embedding, fingerprint: "f" }, KEPT).catch(() => undefined);
  assert.deepEqual(newest().received[0].params.a.embedding, BYTES);
});

test("a child of 1.1 is not told of how much speech there was: it would refuse to hear it", async () => {
  const { it, newest } = await appSidecar(OLD);
  it.score({ ...KEPT, speechS: 2 }, KEPT).catch(() => undefined);
  const stored = { embedding: BYTES, fingerprint: "f" };
  assert.deepEqual(newest().received[0].params, { a: stored, b: stored });
});

for (const [what, ask, error, message] of [
  ["speech", (it) => it.speech(A_WAV), MethodNotFound, /speech needs speech, which fake 9/],
  ["embed", (it) => it.embed(A_WAV, { speech: "all" }), InvalidParams, /option speech needs/],
  ["score", (it) => it.score(KEPT, KEPT, { speech: "all" }), InvalidParams, /option speech needs/],
  [
    "far",
    (it) => it.score(KEPT, KEPT, { far: 0.1 }),
    InvalidParams,
    /option far needs contract 1.2/,
  ],
  ["prior", (it) => it.score(KEPT, KEPT, { prior: 0.1 }), InvalidParams, /option prior needs/],
]) {
  test(`a child of 1.1 is not asked for ${what}`, async () => {
    const { it, newest } = await appSidecar(OLD);
    await assert.rejects(ask(it), (refusal) => {
      assert.ok(refusal instanceof error, String(refusal));
      return message.test(refusal.message);
    });
    assert.deepEqual([it.nPending, newest().received], [0, []]);
  });
}

test("the cosine of two that were kept", () => {
  const near = (actual, expected) => assert.ok(Math.abs(actual - expected) < 1e-6, String(actual));
  near(cosine(KEPT, { ...KEPT, embedding: Float32Array.of(4, 3) }), 0.96);
  near(cosine(KEPT.embedding, Float32Array.of(-6, -8)), -1);
  near(cosine(KEPT, Float32Array.of(4, 3)), 0.96);
  assert.equal(cosine(Float32Array.of(0.1, 0.2, 0.3), Float32Array.of(0.1, 0.2, 0.3)), 1);
  const other = { ...KEPT, fingerprint: "g" };
  assert.throws(
    () => cosine(KEPT, other),
    (error) => {
      assert.ok(error instanceof IncompatibleEmbeddings);
      return error.details.b === "g" && /of f and one of g/.test(error.message);
    },
  );
  assert.throws(() => cosine(KEPT, Float32Array.of(1)), IncompatibleEmbeddings);
});
