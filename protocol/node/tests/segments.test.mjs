// embedSegments: what is asked for, what is refused here, and how the answer is read. No process.

import assert from "node:assert/strict";
import { test } from "node:test";

import { BadAudio, InvalidParams, MethodNotFound } from "speaker-sidecar";

import { appSidecar, resultOf, settle } from "./fakes.mjs";

const SAMPLED = { samples: new Float32Array(16_000), sampleRateHz: 16_000 };
const SEGMENTS = [
  { startS: 0.5, endS: 2 },
  { startS: 0, endS: 1 },
  { startS: 1.25, endS: 1.3 },
];

test("one audio and its segments are sent, and each has its outcome, in order", async () => {
  const { it, newest } = await appSidecar();
  const call = it.embedSegments(SAMPLED, SEGMENTS, { normalize: false, deadlineMs: 5_000 });
  const { id, method, params } = newest().received.at(-1);
  const { audio, ...others } = params;
  assert.equal(method, "embed_segments");
  assert.deepEqual(Object.keys(audio), ["pcm", "encoding", "sample_rate_hz", "channels"]);
  assert.deepEqual(others, {
    segments: [
      [0.5, 2],
      [0, 1],
      [1.25, 1.3],
    ],
    normalize: false,
    deadline_ms: 5_000,
  });
  newest().answer(id, resultOf("child_segments_result"));
  const items = await call;
  assert.deepEqual(
    items.map(({ status }) => status),
    ["fulfilled", "rejected", "fulfilled"],
  );
  assert.deepEqual([...items[0].value.embedding], [0.5, -0.5, 0.5, -0.5]);
  assert.equal(items[2].value.durationS, 1.5);
  assert.ok(items[1].reason instanceof BadAudio);
  assert.equal(items[1].reason.kind, "too_short");
});

test("it counts as one audio in flight, however many its segments are", async () => {
  const { it, newest } = await appSidecar();
  const many = Array.from({ length: 100 }, (_, n) => ({ startS: n, endS: n + 1 }));
  const { maxInFlight } = it.hello.limits;
  const calls = Array.from({ length: maxInFlight + 1 }, () => it.embedSegments("a.wav", many));
  const ids = newest().ids("embed_segments");
  assert.equal(ids.length, maxInFlight);
  ids.forEach((id) => newest().answer(id, { results: [] }));
  await settle();
  newest().answer(newest().ids("embed_segments").at(-1), { results: [] });
  assert.equal((await Promise.all(calls)).length, maxInFlight + 1);
});

test("a device that fails at one segment has not answered: the next child is asked", async () => {
  const { it, clock, newest } = await appSidecar();
  const call = it.embedSegments("a.wav", SEGMENTS);
  const [id] = newest().ids("embed_segments");
  const error = { code: -32020, message: "the device failed", data: { kind: "device_error" } };
  newest().answer(id, { results: [{ error }] });
  newest().die({ code: 70 });
  await clock.pass(0);
  newest().serve();
  assert.deepEqual(newest().ids("embed_segments"), [id]);
  newest().answer(id, resultOf("child_segments_result"));
  assert.equal((await call).length, 3);
});

for (const [what, audio, segments, message] of [
  ["segments that are no array", "a.wav", { startS: 0, endS: 1 }, /segments must be an array/],
  ["no segments", "a.wav", undefined, /segments must be an array, not Undefined/],
  ["a segment that is a pair", "a.wav", [[0, 1]], /segments\[0\] must be \{startS, endS\}/],
  ["a segment without an end", "a.wav", [...SEGMENTS, { startS: 1 }], /segments\[3\] must be/],
  ["a segment of text", "a.wav", [{ startS: "0", endS: "1" }], /segments\[0\] must be/],
  ["a segment that is null", "a.wav", [null], /segments\[0\] must be/],
  ["a cropped audio", { path: "a.wav", startS: 1 }, SEGMENTS, /no startS and no endS/],
  ["an audio cropped to 0 s", { ...SAMPLED, endS: 0 }, SEGMENTS, /no startS and no endS/],
  ["no audio", 42, SEGMENTS, /audio must be/],
]) {
  test(`${what}: refused, and nothing is sent`, async () => {
    const { it, newest } = await appSidecar();
    await assert.rejects(it.embedSegments(audio, segments), (error) => {
      assert.ok(error instanceof InvalidParams);
      return message.test(error.message);
    });
    assert.deepEqual([it.nPending, newest().received], [0, []]);
  });
}

test("a crop that is undefined is none", async () => {
  const { it, newest } = await appSidecar();
  const call = it.embedSegments({ path: "/a.wav", startS: undefined, endS: undefined }, SEGMENTS);
  const [id] = newest().ids("embed_segments");
  newest().answer(id, { results: [] });
  assert.deepEqual(await call, []);
});

test("a child of contract 1.0 says that it has no such method", async () => {
  const { it, newest } = await appSidecar();
  const call = it.embedSegments("a.wav", SEGMENTS);
  const [id] = newest().ids("embed_segments");
  newest().fail(id, -32601, "method_not_found", { methods: ["embed"] });
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof MethodNotFound);
    return error.kind === "method_not_found" && error.details.methods.includes("embed");
  });
});
