// The progress of requests: who is told of it, and until when. No process.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { appSidecar, nextChild, serving, settle, supervise } from "./fakes.mjs";

const WINDOWS = { windowS: 2, hopS: 1 };
const SEGMENTS = [{ startS: 0, endS: 1 }];

/** A call of `embedBatch`, its id, and what it was told. */
function batchCall(world, options = {}) {
  const told = [];
  const onProgress = (progress) => told.push(progress);
  const call = world.it.embedBatch(["a.wav"], { onProgress, ...options });
  call.catch(() => undefined);
  return { call, told, id: world.newest().ids("embed_batch").at(-1) };
}

const dones = ({ told }) => told.map(({ done }) => done);

test("a call asks for progress only where someone wants to know", async () => {
  const { it, newest } = await appSidecar();
  const onProgress = () => undefined;
  const calls = [
    it.embedBatch(["a.wav"], { onProgress }),
    it.embedWindows("a.wav", { ...WINDOWS, onProgress }),
    it.embedSegments("a.wav", SEGMENTS, { onProgress }),
    it.embedBatch(["a.wav"]),
    it.embedWindows("a.wav", WINDOWS),
    it.embedSegments("a.wav", SEGMENTS),
    it.embed("a.wav"),
  ];
  assert.deepEqual(
    newest().received.map(({ params }) => params.progress),
    [true, true, true, undefined, undefined, undefined, undefined],
  );
  const closed = Promise.allSettled(calls);
  void it.close();
  await closed;
});

test("what is no function is refused, and nothing is sent", async () => {
  const { it, newest } = await appSidecar();
  for (const onProgress of [true, null]) {
    await assert.rejects(it.embedBatch(["a.wav"], { onProgress }), {
      name: "InvalidParams",
      message: `onProgress must be a function, not ${onProgress}`,
    });
  }
  assert.deepEqual(newest().received, []);
});

test("progress comes to its own call, and not as an event", async () => {
  const world = await appSidecar();
  const events = [];
  world.it.on("progress", (progress) => events.push(progress));
  const [a, b] = [batchCall(world), batchCall(world)];
  const child = world.newest();
  child.requestProgress(b.id, 1);
  child.requestProgress(a.id, 2, null, "windows");
  child.requestProgress(b.id, 3);
  child.requestProgress("a string", 4);
  child.requestProgress(12_345, 5);
  child.requestProgress(null, 6);
  child.progress("warmup", 7, 10);
  await settle();
  assert.deepEqual(a.told, [{ done: 2, total: null, unit: "windows" }]);
  assert.deepEqual(b.told, [
    { done: 1, total: 8, unit: "audios" },
    { done: 3, total: 8, unit: "audios" },
  ]);
  assert.deepEqual(events, [{ phase: "warmup", done: 7, total: 10, unit: "steps" }]);
});

test("progress of a call that wants none is ignored", async () => {
  const world = await appSidecar();
  const call = world.it.embedBatch(["a.wav"]);
  const [id] = world.newest().ids("embed_batch");
  world.newest().requestProgress(id, 1);
  world.newest().answer(id, { results: [] });
  assert.deepEqual(await call, []);
});

test("no progress comes once a call has settled", async () => {
  const world = await appSidecar();
  const batch = batchCall(world);
  let nToldAtLast;
  void batch.call.then(() => (nToldAtLast = batch.told.length));
  // All of it at once, as from one read of the pipe.
  world.newest().requestProgress(batch.id, 1);
  world.newest().answer(batch.id, { results: [] });
  world.newest().requestProgress(batch.id, 2);
  await settle();
  assert.deepEqual([dones(batch), nToldAtLast], [[1], 1]);
});

test("no progress comes once a call was aborted, even by its own callback", async () => {
  const world = await appSidecar();
  const controller = new AbortController();
  const told = [];
  const { call, id } = batchCall(world, {
    signal: controller.signal,
    onProgress: ({ done }) => {
      told.push(done);
      controller.abort();
    },
  });
  for (const done of [1, 2]) world.newest().requestProgress(id, done);
  await assert.rejects(call, { name: "Cancelled" });
  world.newest().requestProgress(id, 3);
  await settle();
  assert.deepEqual(told, [1]);
});

test("after a child's death progress begins anew", async () => {
  const world = await appSidecar();
  const batch = batchCall(world);
  const [first] = world.children;
  for (const done of [1, 5]) first.requestProgress(batch.id, done);
  first.die();
  await settle();
  const second = await nextChild(world);
  assert.deepEqual(second.ids("embed_batch"), [batch.id]);
  for (const done of [0, 4]) second.requestProgress(batch.id, done);
  second.answer(batch.id, { results: [] });
  await batch.call;
  assert.deepEqual(dones(batch), [1, 5, 0, 4]);
});

test("a callback that throws stops nothing", () => {
  const code = `
    import { appSidecar, settle } from "./fakes.mjs";
    process.on("uncaughtException", ({ message }) => console.log(message));
    const { it, newest } = await appSidecar();
    const onProgress = ({ done }) => { throw new Error("a bug in the app: " + done); };
    const call = it.embedBatch(["a.wav"], { onProgress });
    const [id] = newest().ids("embed_batch");
    newest().requestProgress(id, 1);
    newest().requestProgress(id, 2);
    newest().answer(id, { results: [] });
    console.log(await call, newest().killed);`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", code], {
    cwd: fileURLToPath(new URL(".", import.meta.url)),
    encoding: "utf8",
  });
  assert.deepEqual(
    stdout.trim().split("\n"),
    ["a bug in the app: 1", "a bug in the app: 2", "[] null"],
    stderr,
  );
});

test("a child that tells of a request's progress must answer health all the same", async () => {
  const world = serving();
  const call = world.embed();
  for (let s = 0; s < 15; s++) {
    assert.equal(world.children[0].killed, null);
    await world.clock.pass(1_000);
    world.children[0].requestProgress(call.id, s);
  }
  assert.match(world.children[0].killed, /did not answer health/);
  assert.deepEqual(world.told.progress, []);
});

test("a request's progress is no progress of the start", async () => {
  const world = supervise();
  const child = world.newest();
  child.hello();
  await world.clock.pass(299_999);
  child.requestProgress(1, 1);
  await world.clock.pass(1);
  assert.match(child.killed, /said nothing of its loading/);
});
