// A live stream outlives its child: what the next one is sent and told, and what the app hears of it.
// No process.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ChildGone, KillsChild } from "speaker-sidecar";

import { nextChild, settle } from "./fakes.mjs";
import {
  asked,
  hear,
  liveWorld,
  seconds,
  short,
  tellFinal,
  tellTurn,
  voice,
} from "./live_child.mjs";

/** A stream of which `durationS` were heard before `tell(child)`; then its child dies. */
async function afterDeath(durationS, tell, options = {}, fingerprint = "f.1") {
  const world = await liveWorld(options);
  for (let n = 0; n < durationS; n++) {
    world.live.push(seconds(1, n / 1_000));
    await hear(world.newest());
  }
  tell(world.newest());
  await settle();
  world.newest().die({ signal: "SIGKILL" });
  await settle();
  world.live.push(seconds(1, durationS / 1_000));
  const before = { told: world.told.turn.length };
  const next = await nextChild(world, fingerprint);
  return { ...world, next, before };
}

const result = (turns, speakers, more = {}) => ({
  turns: turns.map(([start_s, end_s, speaker]) => ({ start_s, end_s, speaker, overlap: false })),
  speakers: speakers.map(([label, embedding, speech_s, said]) => ({
    ...{ label, embedding, speech_s },
    ...said,
  })),
  ...{ dim: 4, model: "m", fingerprint: "f.1", duration_s: 31, ...more },
});

test("the next child hears the last 30 s again, and knows the speakers", async () => {
  const { next, told } = await afterDeath(50, (child) => {
    tellFinal(child, 0, [1, 6], "S1");
    tellFinal(child, 1, [7, 9], "S2", voice(0, 1, 0, 0));
    tellFinal(child, 2, [22, 30], "S1", voice(0.8, 0.6, 0, 0));
  });
  assert.equal(await hear(next), 31);
  const [, open] = asked(next)[0];
  // Of the 8 s that S1 had spoken, all are heard again; that they are known by a second is enough.
  assert.deepEqual(open, {
    ...{ sample_rate_hz: 8_000, encoding: "f32le", start_s: 20 },
    speakers: [
      { label: "S2", embedding: voice(0, 1, 0, 0), fingerprint: "f.1", speech_s: 2 },
      { label: "S1", embedding: voice(0.8, 0.6, 0, 0), fingerprint: "f.1", speech_s: 1 },
    ],
  });
  const pcm = Buffer.concat(asked(next).flatMap(([, params]) => params.pcm ?? []));
  const expected = Array.from({ length: 31 }, (_, n) => seconds(1, (20 + n) / 1_000));
  assert.ok(pcm.equals(Buffer.concat(expected.map(({ buffer }) => Buffer.from(buffer)))));
  assert.equal(told.restarted.length, 1);
  const [{ reason, ...restart }] = told.restarted;
  assert.match(reason, /SIGKILL/);
  assert.deepEqual(restart, { startS: 20, againS: 30, sameModel: true, speakers: ["S2", "S1"] });
  assert.deepEqual(told.error, []);
});

test("final turns stay; of what comes again only what is new is told, and numbers go on", async () => {
  const { next, told, live, before } = await afterDeath(50, (child) => {
    tellFinal(child, 0, [1, 6], "S1");
    tellFinal(child, 1, [22, 30], "S2");
    tellFinal(child, 2, [40, 45], "S1");
  });
  await hear(next, 31);
  // What was final comes again, a little otherwise.
  tellTurn(next, 0, [22.25, null]);
  tellTurn(next, 0, [22.25, null], { speaker: "S2" });
  tellFinal(next, 0, [22.25, 30.2], "S2");
  tellTurn(next, 1, [40, null], { speaker: "S1" });
  tellFinal(next, 1, [40, 45.1], "S1");
  // And what was said since.
  tellTurn(next, 2, [47, null], { speaker: "S2" });
  tellFinal(next, 2, [47, 50], "S2");
  await settle();
  assert.deepEqual(told.turn.slice(before.told).map(short), [
    [3, 47, null, "S2"],
    [3, 47, 50, "S2", "final"],
  ]);
  assert.deepEqual(live.turns.map(short), [
    [0, 1, 6, "S1", "final"],
    [1, 22, 30, "S2", "final"],
    [2, 40, 45, "S1", "final"],
    [3, 47, 50, "S2", "final"],
  ]);
});

test("a turn that goes on behind a final one of the same speaker is told without that", async () => {
  const { next, told, live, before } = await afterDeath(20, (child) => {
    tellFinal(child, 0, [2, 10], "S1");
  });
  tellTurn(next, 0, [2, null], { speaker: "S1" });
  await hear(next, 20);
  tellTurn(next, 0, [2, null], { speaker: "S1" });
  await settle();
  assert.equal(told.turn.length, before.told, "it may be the final one yet");
  live.push(seconds(1));
  await hear(next, 8);
  assert.deepEqual(short(told.turn.at(-1)), [1, 10, null, "S1"]);
  tellFinal(next, 0, [2, 16], "S1");
  await settle();
  assert.deepEqual(live.turns.map(short), [
    [0, 2, 10, "S1", "final"],
    [1, 10, 16, "S1", "final"],
  ]);
});

test("somebody else's turn beside the last final one is not lost", async () => {
  const { next, live } = await afterDeath(20, (child) => tellFinal(child, 0, [2, 10], "S1"));
  await hear(next);
  tellFinal(next, 0, [9.5, 10.3], "S2");
  await settle();
  assert.deepEqual(live.turns.map(short).at(-1), [1, 9.5, 10.3, "S2", "final"]);
});

test("turns that had begun keep their numbers, or prove to be nothing", async () => {
  const { next, live, told, before } = await afterDeath(20, (child) => {
    tellTurn(child, 0, [10, 12], { speaker: "S1" });
    tellTurn(child, 1, [15, null]);
    tellTurn(child, 2, [19, null]);
  });
  await hear(next, 21);
  tellTurn(next, 0, [15.25, null], { speaker: "S1" });
  tellTurn(next, 1, [10.25, 12], { speaker: "S1" });
  await settle();
  assert.deepEqual(live.turns.map(short), [
    [0, 10.25, 12, "S1"],
    [1, 15.25, null, "S1"],
    [2, 19, null, null],
  ]);
  assert.equal(told.turn.length, before.told + 2);
  for (let n = 0; n < 4; n++) live.push(seconds(1));
  await hear(next);
  assert.deepEqual(short(told.turn.at(-1)), [2, 19, 19, null, "final"]);
  tellTurn(next, 2, [22, null]);
  await settle();
  assert.equal(told.turn.at(-1).turn, 3);
});

test("who speaks for long, and was never final, keeps the label", async () => {
  const { next, live } = await afterDeath(50, (child) => {
    tellTurn(child, 0, [2, null], { speaker: "S1" });
  });
  assert.deepEqual(live.turns.map(short), [[0, 2, 20, "S1", "final"]]);
  await hear(next);
  // To the new child this is somebody new, and so is who speaks next.
  tellTurn(next, 0, [20, null], { speaker: "S1" });
  tellFinal(next, 1, [45, 48], "S2");
  await settle();
  assert.deepEqual(live.turns.map(short).slice(1), [
    [1, 20, null, "S1"],
    [2, 45, 48, "S2", "final"],
  ]);
});

test("the close gives all of it, as if there had been one child", async () => {
  const world = await afterDeath(
    50,
    (child) => {
      tellFinal(child, 0, [1, 6], "S1");
      tellFinal(child, 1, [7, 9], "S3", voice(0, 0, 0, 1));
      tellFinal(child, 2, [10, 12], "S4", voice(0, 0, 1, 0));
      tellFinal(child, 3, [18, 25], "S2", voice(0, 1, 0, 0));
    },
    { startS: 100 },
  );
  const { next, live } = world;
  const closed = live.close();
  await hear(next);
  next.answer(
    next.ids("stream_close")[0],
    result(
      [
        [120, 125, "S2"],
        [140, 150, "S1"],
      ],
      [
        ["S2", voice(0, 1, 0, 0), 5],
        ["S1", voice(0, 0, 1, 0), 10, { also: ["S4"] }],
      ],
    ),
  );
  const { turns, speakers, durationS } = await closed;
  assert.equal(durationS, 51, "31 s in the second child, and 20 s before it");
  assert.deepEqual(
    turns.map(({ startS, endS, speaker }) => [startS, endS, speaker]),
    // Times of turns are those that the children told; startS is of the stream.
    [
      [1, 6, "S1"],
      [7, 9, "S3"],
      [10, 12, "S1"],
      [18, 25, "S2"],
      [120, 125, "S2"],
      [140, 150, "S1"],
    ],
  );
  const byLabel = Object.fromEntries(speakers.map((speaker) => [speaker.label, speaker]));
  assert.deepEqual(Object.keys(byLabel), ["S1", "S3", "S2"]);
  assert.equal(byLabel.S1.speechS, 17);
  assert.deepEqual(byLabel.S1.also, ["S4"]);
  assert.deepEqual(byLabel.S3.embedding, Float32Array.of(0, 0, 0, 1));
  assert.ok(byLabel.S1.embedding[0] > 0.5 && byLabel.S1.embedding[2] > 0.5);
  assert.ok(Math.abs(Math.hypot(...byLabel.S1.embedding) - 1) < 1e-6);
});

test("a turn that the restart cut is whole in the close, and others are not cut", async () => {
  const { next, live } = await afterDeath(50, (child) => {
    tellFinal(child, 0, [15, 25], "S1");
    tellFinal(child, 1, [19, 21], "S2", voice(0, 1, 0, 0));
  });
  const closed = live.close();
  await hear(next);
  const said = [
    ["S1", voice(1, 0, 0, 0), 5],
    ["S2", voice(0, 1, 0, 0), 1],
  ];
  next.answer(
    next.ids("stream_close")[0],
    result(
      [
        [20.1, 25.5, "S1"],
        [20, 21, "S2"],
      ],
      said,
    ),
  );
  const { turns } = await closed;
  assert.deepEqual(turns, [
    { startS: 15, endS: 25.5, speaker: "S1", overlap: true },
    { startS: 19, endS: 21, speaker: "S2", overlap: true },
  ]);
});

test("another model: nobody is taken for somebody else, and it is said", async () => {
  const { next, live, told } = await afterDeath(
    20,
    (child) => {
      tellFinal(child, 0, [1, 6], "S1");
      tellFinal(child, 1, [7, 9], "S2", voice(0, 1, 0, 0));
    },
    {},
    "another.1",
  );
  await hear(next);
  assert.deepEqual(asked(next)[0][1].speakers, []);
  assert.deepEqual([told.restarted[0].sameModel, told.restarted[0].speakers], [false, []]);
  tellFinal(next, 0, [15, 18], "S1", voice(1, 2));
  tellFinal(next, 1, [18, 20], "S3", voice(2, 1));
  await settle();
  assert.deepEqual(live.turns.map(short).slice(2), [
    [2, 15, 18, "S3", "final"],
    [3, 18, 20, "S4", "final"],
  ]);
  assert.equal(live.turns[2].fingerprint, "another.1");
  const closed = live.close();
  await hear(next);
  const answer = result([[15, 20, "S1"]], [["S1", voice(1, 2), 5, { also: ["S3"] }]], {
    fingerprint: "another.1",
  });
  next.answer(next.ids("stream_close")[0], answer);
  const { turns, speakers } = await closed;
  // All of it was heard again, and so the result is the new child's alone.
  assert.deepEqual(turns, [{ startS: 15, endS: 20, speaker: "S3", overlap: false }]);
  assert.deepEqual([speakers[0].label, speakers[0].also], ["S3", ["S4"]]);
});

test("a child that dies as it closes: the next one closes", async () => {
  const world = await liveWorld();
  world.live.push(seconds(2));
  const closed = world.live.close({ exclusive: true });
  await hear(world.newest());
  assert.equal(world.newest().ids("stream_close").length, 1);
  world.newest().die();
  const next = await nextChild(world);
  assert.equal(await hear(next), 2);
  assert.deepEqual(asked(next).at(-1), ["stream_close", { stream: "s1", exclusive: true }]);
  next.answer(next.ids("stream_close")[0], result([[0, 2, "S1"]], [["S1", voice(1), 2]]));
  assert.equal((await closed).turns.length, 1);
});

test("hearing that failed, or a stream that is not known any more, is opened anew", async () => {
  for (const [code, kind] of [
    [-32020, "device_error"],
    [-32015, "unknown_stream"],
  ]) {
    const { live, newest, told } = await liveWorld();
    await hear(newest());
    live.push(seconds(1));
    await settle();
    const child = newest();
    child.fail(child.ids("stream_push")[0], code, kind, { retryable: code === -32020 });
    await settle();
    if (code === -32020) continue;
    assert.equal(child.ids("stream_open").length, 2);
    await hear(child);
    assert.deepEqual([live.bufferedS, told.error], [0, []]);
  }
});

test("samples that kill each child are found, and others go on", async () => {
  const world = await liveWorld();
  const other = world.it.live({ sampleRateHz: 8_000 });
  await hear(world.newest());
  for (let n = 0; n < 5; n++) {
    // Only this one has something to be heard.
    if (n === 0) world.live.push(seconds(1));
    await hear(world.newest(), 1);
    const call = world.it.embed("a.wav");
    world.newest().answerWith("child_embed_result");
    await call;
    assert.deepEqual(world.told.error, [], `after ${n} deaths`);
    world.newest().die({ signal: "SIGSEGV" });
    await nextChild(world);
  }
  assert.ok(world.told.error[0] instanceof KillsChild);
  other.push(seconds(1));
  await hear(world.newest());
  assert.equal(other.bufferedS, 0);
});

test("where no child can be had any more, the stream ends with the reason", async () => {
  const world = await liveWorld();
  world.live.push(seconds(1));
  for (let n = 0; n < 3; n++) {
    world.newest().die({ code: 70 });
    await world.clock.pass(20_000);
  }
  await settle();
  assert.ok(world.told.error[0] instanceof ChildGone);
  assert.match(world.told.error[0].message, /exit code 70/);
  assert.throws(() => world.live.push(seconds(1)), ChildGone);
});

test("what is heard again has no levels, and nothing more than 30 s is kept", async () => {
  const { next, told, live } = await afterDeath(
    40,
    (child) => child.tell("stream_level", { stream: "s1", start_s: 39.75, end_s: 40 }),
    { detail: "levels" },
  );
  await hear(next);
  next.tell("stream_level", { stream: "s1", start_s: 39.75, end_s: 40 });
  next.tell("stream_level", { stream: "s1", start_s: 40, end_s: 40.25 });
  await settle();
  assert.deepEqual(
    told.level.map(({ endS }) => endS),
    [40, 40.25],
  );
  assert.equal(live.bufferedS, 0);
});
