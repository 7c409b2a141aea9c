// diarize: what is asked for, how the answer is read, what an older child is spared; and who speaks
// when by the light sidecar.

import assert from "node:assert/strict";
import { resolve } from "node:path";
import { test } from "node:test";

import { BadAudio, MethodNotFound } from "speaker-sidecar";

import { appSidecar, nextChild, settle } from "./fakes.mjs";
import { LIGHT, LIGHT_SKIP, start } from "./sidecars.mjs";

// As this system has it: Windows puts a drive before it.
const A_WAV = resolve("/a.wav");

test("all options are sent, and who speaks when comes back", async () => {
  const { it, newest } = await appSidecar();
  const call = it.diarize(
    { path: A_WAV, startS: 1 },
    {
      minSpeakers: 2,
      maxSpeakers: 4,
      identify: true,
      exclusive: true,
      onProgress: () => undefined,
      deadlineMs: 60_000,
    },
  );
  const { method, params } = newest().received.at(-1);
  assert.equal(method, "diarize");
  assert.deepEqual(params, {
    audio: { path: A_WAV, start_s: 1 },
    min_speakers: 2,
    max_speakers: 4,
    identify: true,
    exclusive: true,
    progress: true,
    deadline_ms: 60_000,
  });
  newest().answerWith("child_diarize_result");
  const { turns, speakers, fingerprint, model, dim, durationS, warnings } = await call;
  assert.deepEqual(turns, [
    { startS: 0.5, endS: 4, speaker: "S1", overlap: true },
    { startS: 3.25, endS: 6.5, speaker: "S2", overlap: true },
    { startS: 7, endS: 9.25, speaker: "S1", overlap: false },
  ]);
  assert.deepEqual(speakers, [
    {
      label: "S1",
      embedding: Float32Array.of(1, 0, 0, 0),
      speechS: 5.75,
      person: { id: "p-1", name: "Ada" },
      llr: 6.5,
      probability: 0.9985,
    },
    { label: "S2", embedding: Float32Array.of(0, 0.5, -0.5, 0), speechS: 3.25 },
  ]);
  assert.match(fingerprint, /^campplus-zh-en\./);
  assert.deepEqual([model, dim, durationS], ["campplus-zh-en", 4, 10]);
  assert.equal(warnings[0].prints, 3);
});

test("what is not asked for is not sent, and nobody need speak", async () => {
  const { it, newest } = await appSidecar();
  const call = it.diarize(A_WAV);
  assert.deepEqual(newest().received.at(-1).params, { audio: { path: A_WAV } });
  newest().answerWith("child_diarize_result_nobody");
  const { turns, speakers, durationS, warnings } = await call;
  assert.deepEqual([turns, speakers, durationS, warnings], [[], [], 1.5, undefined]);
  void it.diarize(A_WAV, { nSpeakers: 2 }).catch(() => undefined);
  assert.deepEqual(newest().received.at(-1).params, { audio: { path: A_WAV }, n_speakers: 2 });
});

test("a speaker is a voice to be enrolled", async () => {
  const { it, newest } = await appSidecar();
  const call = it.diarize(A_WAV);
  newest().answerWith("child_diarize_result");
  const { speakers, fingerprint } = await call;
  const embeddings = [{ ...speakers[1], fingerprint }];
  void it.people.enroll({ name: "Zoë", embeddings }).catch(() => undefined);
  const bytes = Buffer.from(speakers[1].embedding.buffer);
  assert.deepEqual(newest().received.at(-1).params.embeddings, [
    { embedding: bytes, fingerprint, speech_s: 3.25 },
  ]);
});

test("its progress is in seconds", async () => {
  const { it, newest } = await appSidecar();
  const told = [];
  const call = it.diarize(A_WAV, { onProgress: (progress) => told.push(progress) });
  const [id] = newest().ids("diarize");
  newest().requestProgress(id, 60, 3_600, "seconds");
  await settle();
  newest().answerWith("child_diarize_result");
  await call;
  assert.deepEqual(told, [{ done: 60, total: 3_600, unit: "seconds" }]);
});

test("an abort is told to the child", async () => {
  const { it, newest } = await appSidecar();
  const controller = new AbortController();
  const call = it.diarize(A_WAV, { signal: controller.signal });
  const [id] = newest().ids("diarize");
  controller.abort();
  await assert.rejects(call, { name: "Cancelled" });
  const { method, params } = newest().received.at(-1);
  assert.deepEqual([method, params], ["cancel", { id }]);
});

test("after a child's death the next one is asked", async () => {
  const world = await appSidecar();
  const call = world.it.diarize(A_WAV, { identify: true });
  const [id] = world.newest().ids("diarize");
  world.newest().die();
  const second = await nextChild(world);
  assert.deepEqual(second.ids("diarize"), [id]);
  second.answerWith("child_diarize_result");
  assert.equal((await call).turns.length, 3);
});

test("more turns than an answer holds are bad audio", async () => {
  const { it, newest } = await appSidecar();
  const call = it.diarize(A_WAV);
  newest().fail(newest().ids("diarize")[0], -32010, "too_many_turns", { max_turns: 20_000 });
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof BadAudio);
    return error.kind === "too_many_turns" && error.details.maxTurns === 20_000;
  });
});

test("a child without diarize is not asked", async () => {
  const { it, newest } = await appSidecar({ capabilities: ["audio.pcm"], protocol_minor: 1 });
  await assert.rejects(it.diarize(A_WAV), (error) => {
    assert.ok(error instanceof MethodNotFound);
    assert.equal(error.details.capability, "diarize");
    return /telling who speaks when needs diarize, which fake 9 does not have/.test(error.message);
  });
  assert.deepEqual([it.nPending, newest().received], [0, []]);
});

test(
  "the light sidecar hears people by how loud they are",
  { skip: LIGHT_SKIP ?? false },
  async (t) => {
    // Progress comes four times a second: this takes longer.
    const it = await start(t, LIGHT, { LIGHT_EMBED_S: "0.03" });
    const samples = Float32Array.from({ length: 16 * 16_000 }, (_, n) => {
      const level = Math.floor(n / 32_000) % 2 ? 0.3 : 0.05;
      return level * Math.sin(n / 8);
    });
    const told = [];
    const { turns, speakers, durationS } = await it.diarize(
      { samples, sampleRateHz: 16_000 },
      { nSpeakers: 2, onProgress: (progress) => told.push(progress) },
    );
    assert.equal(durationS, 16);
    assert.deepEqual(
      turns.map(({ startS, speaker }) => [Math.round(startS), speaker]),
      [0, 2, 4, 6, 8, 10, 12, 14].map((startS, n) => [startS, n % 2 ? "S2" : "S1"]),
    );
    assert.deepEqual(
      speakers.map(({ label, embedding }) => [label, embedding.length]),
      [
        ["S1", 4],
        ["S2", 4],
      ],
    );
    assert.ok(told.length > 0);
    for (const { unit, total } of told) {
      assert.equal(unit, "seconds");
      // Before the first of it is decoded, the length is not known.
      assert.ok(total === 16 || total === null);
    }
    assert.equal(told.at(-1).total, 16);
  },
);
