// Live streams of real processes: what is told, what comes of it, and a child that is killed.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { bySpeaker, play, RATE_HZ, samplesOf, until } from "./live_audio.mjs";
import { LIGHT, LIGHT_SKIP, ready, REAL, SPEECH_SKIP, start } from "./sidecars.mjs";

// The light segmenter tells people by how loud they are.
const LEVELS = { first: 0.05, second: 0.3 };

/** Tones of each `[seconds, who]`, and who speaks from when to when. */
function conversation(runs) {
  const spoken = [];
  let n = 0;
  const samples = new Float32Array(
    Math.round(RATE_HZ * runs.reduce((sum, [durationS]) => sum + durationS, 0)),
  );
  for (const [durationS, who] of runs) {
    const from = n;
    const level = LEVELS[who] ?? 0;
    for (; n < from + durationS * RATE_HZ; n++) samples[n] = level * Math.sin(n / 8);
    if (who !== undefined) spoken.push({ startS: from / RATE_HZ, endS: n / RATE_HZ, who });
  }
  return { samples, spoken };
}

/** The turns in which `who` speaks. */
const turnsOf = (turns, spoken, who) =>
  spoken
    .filter((one) => one.who === who)
    .flatMap(({ startS, endS }) =>
      turns.filter((turn) => Math.min(turn.endS, endS) - Math.max(turn.startS, startS) > 1),
    );

/** Every final turn of `before` is in `after` as it was. */
function assertKept(before, after) {
  for (const turn of before.filter(({ final }) => final)) {
    assert.deepEqual(
      after.find((one) => one.turn === turn.turn),
      turn,
    );
  }
}

test("who speaks is told, and the close tells it in hindsight", { skip: LIGHT_SKIP }, async (t) => {
  const sidecar = await start(t);
  const runs = [[1], [4, "first"], [1], [4, "second"], [1], [3, "first"], [1.1]];
  const { samples, spoken } = conversation(runs);
  const live = sidecar.live({ sampleRateHz: RATE_HZ, detail: "levels", startS: 100 });
  const levels = [];
  const told = [];
  live.on("level", (level) => levels.push(level));
  const read = (async () => {
    for await (const turn of live) told.push(turn);
  })();
  await play(live, samples);
  const { turns, durationS, speakers } = await live.close({ nSpeakers: 2 });
  await read;
  assert.equal(durationS, 15.1);
  assert.deepEqual(
    // Between two runs of tones a frame may sound like either.
    turns
      .filter(({ startS, endS }) => endS - startS > 0.1)
      .map(({ startS, speaker }) => [Math.round(startS), speaker]),
    [
      [101, "S1"],
      [106, "S2"],
      [111, "S1"],
    ],
  );
  assert.deepEqual(
    speakers.map(({ label }) => label),
    ["S1", "S2"],
  );
  const shifted = spoken.map(({ startS, endS, who }) => ({
    ...{ startS: startS + 100, endS: endS + 100, who },
  }));
  assert.equal(turnsOf(live.turns, shifted, "first").length, 2);
  assert.equal(turnsOf(live.turns, shifted, "second").length, 1);
  assert.ok(live.turns.every(({ final }) => final) && told.length >= live.turns.length);
  assert.equal(levels.length, 61);
});

test("a killed child: labels go on, and no final turn is lost", { skip: LIGHT_SKIP }, async (t) => {
  const sidecar = await start(t);
  const round = [
    [4, "first"],
    [1, undefined],
    [4, "second"],
    [1, undefined],
  ];
  const { samples, spoken } = conversation([
    ...Array.from({ length: 7 }, () => round).flat(),
    [0.1],
  ]);
  const live = sidecar.live({ sampleRateHz: RATE_HZ });
  const restarts = [];
  live.on("restarted", (restart) => restarts.push(restart));
  let before = [];
  // At 42 s, and again at 63 s, in the middle of a word.
  for (const [from, to] of [
    [0, 42],
    [42, 63],
    [63, 70.1],
  ]) {
    await play(live, samples.subarray(from * RATE_HZ, to * RATE_HZ));
    assertKept(before, live.turns);
    before = live.turns;
    const { pid } = sidecar.lastHealth && sidecar;
    if (to < 70) process.kill(pid, "SIGKILL");
    if (to < 70) await until(() => sidecar.pid !== pid, "the child is gone");
  }
  const { turns, speakers, durationS } = await live.close();
  assertKept(before, live.turns);
  assert.equal(restarts.length, 2);
  for (const { againS, sameModel, speakers: known } of restarts) {
    assert.ok(againS > 0 && againS <= 30, `${againS} s were heard again`);
    assert.ok(sameModel && known.includes("S1"));
  }
  assert.equal(durationS.toFixed(3), "70.100");
  for (const those of [live.turns, turns]) {
    assert.equal(turnsOf(those, spoken, "first").length, 7);
    assert.equal(turnsOf(those, spoken, "second").length, 7);
  }
  // To this encoder all tones are alike: who they are is told by the test with real people.
  const speechS = speakers.reduce((sum, speaker) => sum + speaker.speechS, 0);
  assert.ok(Math.abs(speechS - 56) < 3, String(speechS));
});

test("people are named, also by the next child", { skip: SPEECH_SKIP }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sidecar-live-"));
  const args = [...REAL.args, "--gallery", join(folder, "people.db")];
  const sidecar = await start(t, { ...REAL, args });
  // After the child's end, which comes first: Windows keeps a gallery that is open.
  t.after(() => rmSync(folder, { recursive: true, maxRetries: 5, retryDelay: 200 }));
  await ready(sidecar);
  const people = [...bySpeaker()].slice(0, 2);
  for (const [name, paths] of people) {
    let { id, progress } = await sidecar.people.enroll({ name, audio: paths[9] });
    for (let n = 8; progress < 1; n--) {
      ({ progress } = await sidecar.people.enroll({ id, audio: paths[n] }));
    }
  }
  const live = sidecar.live({ sampleRateHz: RATE_HZ, identify: true });
  const restarts = [];
  live.on("restarted", (restart) => restarts.push(restart));
  const spoken = [];
  let before = [];
  let nSamples = 0;
  for (let n = 0; n < 3; n++) {
    for (const [who, paths] of people) {
      const samples = samplesOf(paths[n]);
      const startS = nSamples / RATE_HZ;
      spoken.push({ startS, endS: startS + samples.length / RATE_HZ, who });
      nSamples += samples.length + RATE_HZ;
      const isThird = spoken.length === 4;
      await play(live, samples.subarray(0, isThird ? samples.length / 2 : samples.length));
      if (isThird) {
        before = live.turns;
        process.kill(sidecar.pid, "SIGKILL");
        await play(live, samples.subarray(samples.length / 2));
      }
      await play(live, new Float32Array(RATE_HZ));
    }
  }
  const { turns, speakers } = await live.close();
  assertKept(before, live.turns);
  const [{ againS }] = restarts;
  assert.ok(againS > 20 && againS <= 30, String(againS));
  const names = new Map(speakers.map(({ label, person }) => [label, person?.name]));
  for (const [who] of people) {
    const told = turnsOf(live.turns, spoken, who);
    assert.deepEqual([...new Set(told.map(({ speaker }) => speaker))].length, 1, who);
    assert.deepEqual([...new Set(told.map(({ person }) => person?.name))], [who]);
    assert.deepEqual(
      [...new Set(turnsOf(turns, spoken, who).map((one) => names.get(one.speaker)))],
      [who],
    );
  }
  t.diagnostic(`${againS} s were heard again; ${live.turns.length} turns were told`);
});
