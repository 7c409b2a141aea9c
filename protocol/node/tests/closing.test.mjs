// The end that the app asks for. No process, no waiting.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ids, outcomes, serving, settle } from "./fakes.mjs";

test("close drains what it is given time for, and rejects the rest", async () => {
  const world = serving();
  const calls = Array.from({ length: 9 }, () => world.embed());
  const child = world.newest();
  let closed = false;
  const closing = world.it.close(1_000).then(() => (closed = true));
  assert.throws(() => world.embed(), { name: "Closed" });
  child.answer(calls[0].id);
  assert.deepEqual(child.ids(), ids(calls), "what waited is still sent");
  child.answer(calls[1].id);
  await world.clock.pass(1_000);
  assert.deepEqual(outcomes(calls), [
    calls[0].id,
    calls[1].id,
    ...calls.slice(2).map(() => "Closed"),
  ]);
  assert.deepEqual([child.received.at(-1).method, child.inputEnded], ["shutdown", true]);
  assert.equal(closed, false);
  child.die({ code: 0 });
  await closing;
  assert.equal(world.told.exits[0].willRestart, false);
});

test("close while a restart is waited for", async () => {
  const world = serving();
  world.newest().die();
  await world.clock.pass(0);
  world.newest().die();
  const call = world.embed();
  await world.it.close(0);
  await world.clock.pass(60_000);
  assert.deepEqual([world.children.length, call.outcome], [2, "Closed"]);
});

test("a later call shortens the drain, and does not lengthen it", async () => {
  for (const [drainsMs, endsAtMs] of [
    [[60_000, 1_000], 1_000],
    [[60_000, 0], 0],
    [[1_000, 60_000], 1_000],
  ]) {
    const world = serving();
    const call = world.embed();
    const closings = drainsMs.map((drainMs) => world.it.close(drainMs));
    const child = world.newest();
    if (endsAtMs > 0) {
      await world.clock.pass(endsAtMs - 1);
      assert.equal(child.inputEnded, false);
      await world.clock.pass(1);
    }
    assert.equal(child.inputEnded, true);
    child.die({ code: 0 });
    await Promise.all(closings);
    assert.equal(call.outcome, "Closed");
    await world.clock.pass(120_000);
    assert.equal(child.ids("shutdown").length, 1);
    assert.equal(world.clock.nTimers, 0);
  }
});

test("a drain ends with the last answer, and no timer is left", async () => {
  const world = serving();
  const call = world.embed();
  const closing = world.it.close(60_000);
  world.newest().answer(call.id);
  await settle();
  assert.equal(world.newest().inputEnded, true);
  world.newest().die({ code: 0 });
  await closing;
  await world.it.close();
  assert.deepEqual([call.outcome, world.clock.nTimers], [call.id, 0]);
});

test("a drain survives a child's death, but not the last one's", async () => {
  const world = serving();
  const call = world.embed();
  let closed = false;
  const closing = world.it.close(600_000).then(() => (closed = true));
  for (let n = 0; n < 3; n++) {
    assert.equal(closed, false);
    world.newest().die();
    await world.clock.pass(20_000);
    if (n < 2) world.newest().serve();
  }
  await closing;
  assert.deepEqual([call.outcome, world.clock.nTimers], ["ChildGone", 0]);
});

test("while it ends, the child's last words change nothing", async () => {
  const world = serving();
  const child = world.newest();
  void world.it.close(0);
  for (const state of ["loading", "ready", "draining", "failed"]) child.health(state);
  await world.clock.pass(400_000);
  assert.equal(child.killed, null, "the grace of its end is what counts");
  assert.equal(child.received.filter(({ method }) => method === "shutdown").length, 1);
});
