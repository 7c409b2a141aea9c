// Live streams: what is asked, what is told, and what waits. No process.

import assert from "node:assert/strict";
import { test } from "node:test";

import { BadAudio, Closed, InvalidParams, MethodNotFound, Overloaded } from "speaker-sidecar";

import { nextChild, resultOf, settle } from "./fakes.mjs";
import { asked, hear, liveWorld, RATE_HZ, seconds, short, tellTurn, voice } from "./live_child.mjs";

const bytes = (child) => Buffer.concat(asked(child).flatMap(([, { pcm }]) => (pcm ? [pcm] : [])));

test("a stream is opened as it is asked for, and audio follows in its order", async () => {
  const { live, newest } = await liveWorld({
    ...{ channels: 2, channel: 1, identify: true, detail: "levels", startS: 30.5 },
  });
  const samples = Float32Array.from({ length: 800 }, (_, n) => n);
  live.push(samples.subarray(0, 400));
  const late = samples.slice(400);
  live.push(late);
  late.fill(0);
  await settle();
  assert.deepEqual(asked(newest()), [
    [
      "stream_open",
      {
        ...{ sample_rate_hz: RATE_HZ, encoding: "f32le", channels: 2, channel: 1, identify: true },
        ...{ detail: "levels", start_s: 30.5, speakers: [] },
      },
    ],
  ]);
  await hear(newest());
  assert.deepEqual(bytes(newest()), Buffer.from(samples.buffer));
  const [, [method, { stream }]] = asked(newest());
  assert.deepEqual([method, stream], ["stream_push", "s1"]);
});

test("one push at a time: what comes meanwhile goes together", async () => {
  const { live, newest, it } = await liveWorld();
  await hear(newest());
  for (let n = 0; n < 3; n++) live.push(seconds(0.1));
  assert.equal(asked(newest()).length, 2);
  assert.ok(live.bufferedS > 0.29 && it.nPending === 1);
  await hear(newest());
  assert.deepEqual(
    asked(newest()).map(([, { pcm }]) => pcm?.length),
    [undefined, 3_200, 6_400],
  );
  assert.equal(live.bufferedS, 0);
});

test("bytes may be cut anywhere, and integers become floats", async () => {
  const whole = Float32Array.from({ length: 100 }, (_, n) => n / 100);
  const { live, newest } = await liveWorld();
  const cut = Buffer.from(whole.buffer);
  for (const [start, end] of [
    [0, 3],
    [3, 9],
    [9, 398],
    [398, 400],
  ]) {
    live.push(cut.subarray(start, end));
    await hear(newest());
  }
  assert.deepEqual(bytes(newest()), cut);
  live.push(Int16Array.of(-32_768, 16_384));
  await hear(newest());
  assert.deepEqual(bytes(newest()).subarray(400), voice(-1, 0.5));
  const { live: other, newest: child } = await liveWorld({ encoding: "s16le" });
  other.push(Int16Array.of(1, -1));
  await hear(child());
  assert.deepEqual(bytes(child()), Buffer.from(Int16Array.of(1, -1).buffer));
  assert.throws(() => other.push(seconds(1)), /s16le takes an Int16Array or bytes, not Float32/);
  assert.throws(() => live.push([0, 1]), InvalidParams);
});

test("turns, as they stand in the golden frames", async () => {
  const { live, newest, told } = await liveWorld();
  await hear(newest());
  const turn = { stream: "s1", turn: 3, start_s: 10.25, end_s: null, final: false };
  const child = newest();
  child.tell("stream_turn", turn);
  child.tell("stream_turn", { ...turn, speaker: "S2" });
  child.tell("stream_turn", { ...turn, stream: "another's" });
  const final = { end_s: 12.5, final: true, speaker: "S2", embedding: voice(0, 1, 0, 0) };
  const more = { person: { id: "p-1", name: "Ada" }, llr: 6.5, probability: 0.9985 };
  child.tell("stream_turn", { ...turn, ...final, ...more, speech_s: 8.75 });
  await settle();
  assert.deepEqual(told.turn.map(short), [
    [0, 10.25, null, null],
    [0, 10.25, null, "S2"],
    [0, 10.25, 12.5, "S2", "final"],
  ]);
  assert.deepEqual(live.turns, [
    {
      ...{ turn: 0, startS: 10.25, endS: 12.5, final: true, speaker: "S2", ...more },
      ...{ embedding: Float32Array.of(0, 1, 0, 0), speechS: 8.75, fingerprint: "f.1" },
    },
  ]);
});

test("levels are told", async () => {
  const { newest, told } = await liveWorld({ detail: "levels" });
  await hear(newest());
  const level = { stream: "s1", start_s: 12, end_s: 12.25, rms_dbfs: -20.5, speech: 0.75 };
  newest().tell("stream_level", level);
  newest().tell("stream_level", { stream: "s1", start_s: 12.25, end_s: 12.5 });
  await settle();
  assert.deepEqual(told.level, [
    { startS: 12, endS: 12.25, rmsDbfs: -20.5, speech: 0.75 },
    { startS: 12.25, endS: 12.5 },
  ]);
});

test("the close comes after all that was pushed, and gives the whole", async () => {
  const { live, newest } = await liveWorld();
  live.push(seconds(1));
  const closed = live.close({ minSpeakers: 2, exclusive: true });
  assert.throws(() => live.push(seconds(1)), Closed);
  assert.equal(live.close(), closed);
  await hear(newest());
  assert.deepEqual(asked(newest()).at(-1), [
    "stream_close",
    { stream: "s1", min_speakers: 2, exclusive: true },
  ]);
  newest().answerWith("child_stream_closed");
  const { turns, speakers, durationS } = await closed;
  assert.deepEqual(turns, [{ startS: 10.5, endS: 12.5, speaker: "S2", overlap: false }]);
  assert.deepEqual([speakers[0].also, speakers[0].speechS, durationS], [["S4", "S5"], 2, 12.5]);
  assert.deepEqual(speakers[0].embedding, Float32Array.of(0.5, -0.5, 0.5, -0.5));
});

test("an iterator gives what was told, then what is news, and ends with the close", async () => {
  const { live, newest } = await liveWorld();
  await hear(newest());
  const child = newest();
  tellTurn(child, 0, [1, null]);
  const seen = [];
  const read = (async () => {
    for await (const turn of live) seen.push(short(turn));
  })();
  await settle();
  tellTurn(child, 0, [1, 2], { speaker: "S1" });
  await settle();
  tellTurn(child, 1, [3, null]);
  tellTurn(child, 1, [3, null], { speaker: "S2" });
  void live.close();
  await hear(child);
  child.answerWith("child_stream_closed");
  await read;
  assert.deepEqual(seen, [
    [0, 1, null, null],
    [0, 1, 2, "S1"],
    [1, 3, null, "S2"],
  ]);
});

test("what the child has no room for waits here, and goes to it when it says", async () => {
  const { live, newest, clock, told, it } = await liveWorld();
  await hear(newest());
  live.push(seconds(6, 0.1));
  await settle();
  const child = newest();
  child.fail(child.ids("stream_push").at(-1), -32001, "overloaded", {
    ...{ retryable: true, retry_after_ms: 500, buffered_s: 30 },
  });
  await settle();
  live.push(seconds(1, 0.2));
  await settle();
  // Other requests do not wait for that.
  void it.embed("a.wav").catch(() => undefined);
  assert.deepEqual([child.ids("stream_push").length, child.ids("embed").length], [1, 1]);
  assert.equal(live.bufferedS, 37);
  await clock.pass(499);
  assert.equal(child.ids("stream_push").length, 1);
  await clock.pass(1);
  await hear(child, 0.5);
  const all = bytes(child);
  assert.equal(all.length, (5 + 5 + 2) * RATE_HZ * 4, "the first 5 s were sent twice");
  assert.deepEqual(all.subarray(5 * RATE_HZ * 4), Buffer.from(joinedSeconds().buffer));
  assert.equal(live.bufferedS, 0.5);
  assert.deepEqual(told.lag, [{ bufferedS: 6 }, { bufferedS: 0.5 }]);
  assert.deepEqual(told.error, []);
});

function joinedSeconds() {
  return Float32Array.from([...seconds(6, 0.1), ...seconds(1, 0.2)]);
}

test("more than a minute is not kept waiting: it is refused, and nothing of it is taken", async () => {
  const { live, newest } = await liveWorld();
  for (let n = 0; n < 59; n++) live.push(seconds(1));
  for (const much of [2, 60]) {
    assert.throws(
      () => live.push(seconds(much)),
      (error) => error instanceof Overloaded && error.details.bufferedS === 59,
    );
  }
  live.push(seconds(1));
  assert.throws(() => live.push(seconds(0.1)), /60.0 s of audio wait/);
  let isDrained = false;
  void live.drained().then(() => (isDrained = true));
  await settle();
  assert.equal(isDrained, false);
  assert.equal(await hear(newest()), 60);
  assert.equal(isDrained, true);
  live.push(seconds(1));
  assert.equal(await hear(newest()), 61);
});

test("what is more by itself is never taken, and the way out is told", async () => {
  const { live, newest, it } = await liveWorld();
  const isTold = (error) => error instanceof InvalidParams && /drained\(\)/.test(error.message);
  assert.throws(() => live.push(seconds(3_600)), isTold);
  assert.equal(live.bufferedS, 0);
  live.push(seconds(60));
  assert.equal(await hear(newest()), 60);
  const other = it.live({ sampleRateHz: RATE_HZ, maxWaitingS: 90 });
  other.push(seconds(90));
  assert.throws(() => other.push(seconds(91)), isTold);
  for (const maxWaitingS of [0, -1, NaN, "60 s"]) {
    assert.throws(() => it.live({ sampleRateHz: RATE_HZ, maxWaitingS }), InvalidParams);
  }
});

test("how much was heard is known also where nothing more is pushed", async () => {
  const { live, newest, clock } = await liveWorld();
  live.push(seconds(4));
  await hear(newest(), 3);
  assert.equal(live.bufferedS, 3);
  await clock.pass(250);
  await hear(newest(), 0.25);
  assert.deepEqual([live.bufferedS, asked(newest()).at(-1)[1].pcm.length], [0.25, 0]);
  const nTimers = clock.nTimers;
  await clock.pass(1_000);
  assert.equal(asked(newest()).length, 3);
  assert.ok(clock.nTimers <= nTimers);
});

test("what cannot be heard ends it: told to whoever asks", async () => {
  const { live, newest, told } = await liveWorld();
  await hear(newest());
  live.push(Float32Array.of(NaN));
  const child = newest();
  const reading = live[Symbol.asyncIterator]().next();
  reading.catch(() => undefined);
  child.fail(child.ids("stream_push")[0], -32010, "non_finite", { retryable: false });
  await settle();
  assert.ok(told.error[0] instanceof BadAudio);
  assert.throws(() => live.push(seconds(1)), BadAudio);
  await assert.rejects(live.close(), BadAudio);
  await assert.rejects(reading, BadAudio);
  // And it is not left open there.
  assert.deepEqual(asked(child).at(-1), ["stream_close", { stream: "s1", deadline_ms: 0 }]);
});

test("an error that nobody listens for is not thrown at the app", async () => {
  const { it, newest } = await liveWorld();
  const live = it.live({ sampleRateHz: RATE_HZ });
  const [, id] = newest().ids("stream_open");
  newest().fail(id, -32001, "overloaded", { max_streams: 16 });
  await settle();
  await assert.rejects(live.close(), (error) => error.details.maxStreams === 16);
});

test("an abort ends it, whether it is open or being closed", async () => {
  for (const isClosing of [false, true]) {
    const controller = new AbortController();
    const { live, newest, told, it } = await liveWorld({ signal: controller.signal });
    await hear(newest());
    const closed = isClosing ? live.close() : null;
    closed?.catch(() => undefined);
    await settle();
    controller.abort(new Error("the window is gone"));
    await settle();
    assert.match(told.error[0].message, /the stream was aborted: the window is gone/);
    await assert.rejects(closed ?? live.close(), { name: "Cancelled" });
    const [id, ...others] = newest().ids("stream_close");
    assert.deepEqual(others, []);
    assert.equal(newest().received.at(-1).method, isClosing ? "cancel" : "stream_close");
    newest().fail(id, isClosing ? -32800 : -32004);
    assert.equal(it.nPending, 0);
  }
  const live = (await liveWorld()).it.live({ sampleRateHz: 8_000, signal: AbortSignal.abort() });
  await assert.rejects(live.close(), { name: "Cancelled" });
});

test("a close that is late ends it", async () => {
  const { live, newest } = await liveWorld();
  await hear(newest());
  await assert.rejects(live.close({ deadlineMs: 1 }), { name: "DeadlineExceeded" });
});

test("a closed sidecar's streams end", async () => {
  const { live, newest, it } = await liveWorld();
  await hear(newest());
  void it.close();
  newest().die({ code: 0 });
  await settle();
  await assert.rejects(live.close(), Closed);
});

test("an older child has no streams", async () => {
  const older = { capabilities: ["audio.pcm"] };
  await assert.rejects(liveWorld({}, older), MethodNotFound);
  const { it } = await liveWorld();
  for (const wrong of [{ sampleRateHz: 0 }, { channels: 0 }, { encoding: "mp3" }]) {
    assert.throws(() => it.live({ sampleRateHz: RATE_HZ, ...wrong }), InvalidParams);
  }
});

test("who is known from before is told to the child", async () => {
  const known = { label: "S7", embedding: Float32Array.of(1, 0), fingerprint: "f.1", speechS: 9 };
  const { newest } = await liveWorld({ speakers: [known] });
  await hear(newest());
  assert.deepEqual(asked(newest())[0][1].speakers, [
    { label: "S7", embedding: voice(1, 0), fingerprint: "f.1", speech_s: 9 },
  ]);
});

test("a stream that was asked for while no child was there is opened by the next one", async () => {
  const world = await liveWorld();
  await hear(world.newest());
  world.newest().die();
  const live = world.it.live({ sampleRateHz: RATE_HZ });
  live.push(seconds(1));
  await nextChild(world);
  await hear(world.newest());
  assert.equal(asked(world.newest()).filter(([method]) => method === "stream_open").length, 2);
  assert.equal(live.bufferedS, 0);
});

test("the vectors' result of a push is read", () => {
  assert.deepEqual(resultOf("child_stream_pushed"), { received_s: 12.5, buffered_s: 0.25 });
});
