// A child that hangs is replaced, wherever it hangs. No process, no waiting.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ids, serving, settle, supervise } from "./fakes.mjs";

test("a child that says that it ends, and does not, is killed", async () => {
  const world = serving();
  const call = world.embed();
  const other = world.embed();
  world.newest().fail(call.id, -32020, "device_error");
  world.embed();
  await world.clock.pass(3_000);
  world.newest().fail(other.id, -32020, "device_error");
  assert.deepEqual(world.newest().ids(), [call.id, other.id], "nothing more is sent to it");
  await world.clock.pass(1_999);
  assert.equal(world.children[0].killed, null);
  await world.clock.pass(1);
  assert.match(world.children[0].killed, /within 5000 ms/);
});

test("a child that does not answer health in time is replaced", async () => {
  const world = serving();
  const call = world.embed();
  for (let s = 0; s < 30; s++) {
    await world.clock.pass(1_000);
    world
      .newest()
      .ids("health")
      .forEach((id) => world.newest().answer(id, { state: "ready" }));
  }
  assert.equal(world.children.length, 1);
  await world.clock.pass(5_000);
  assert.equal(world.newest().ids("health").length, 7);
  await world.clock.pass(9_000);
  assert.equal(world.children[0].killed, null);
  await world.clock.pass(1_000);
  assert.match(world.children[0].killed, /did not answer health within 10000 ms/);
  await world.clock.pass(0);
  const second = world.newest();
  second.serve();
  assert.deepEqual(second.ids(), [call.id]);
});

test("a child that serves and hangs twice is no reason for the CPU", async () => {
  const world = serving();
  for (let n = 0; n < 2; n++) {
    await world.clock.pass(15_000);
    assert.match(world.children[n].killed, /did not answer health/);
    assert.equal(world.told.restarts.at(-1).device, null);
    await world.clock.pass(1_000);
    world.newest().serve();
  }
});

test("a child that loads may take its time, as long as it tells of its progress", async () => {
  const world = supervise();
  const child = world.newest();
  child.hello();
  await world.clock.pass(299_999);
  child.health("loading");
  for (let n = 0; n < 10; n++) {
    await world.clock.pass(299_999);
    child.progress("download", n, 10);
  }
  assert.equal(child.killed, null);
  await world.clock.pass(1);
  child.health("ready");
  await world.clock.pass(14_999);
  assert.equal(child.killed, null);
});

test("a child that tells of no progress while it loads is replaced, the third by the CPU", async () => {
  for (const says of [(child) => child.hello(), (child) => child.health("loading")]) {
    const world = supervise();
    const call = world.embed();
    for (const device of [null, "cpu"]) {
      const child = world.newest();
      child.hello();
      says(child);
      await world.clock.pass(299_999);
      assert.equal(child.killed, null);
      await world.clock.pass(1);
      assert.equal(child.killed, "it said nothing of its loading within 300000 ms");
      assert.equal(world.told.restarts.at(-1).device, device);
      await world.clock.pass(1_000);
    }
    assert.match(world.told.logs.at(-1).text, /hung twice in a row.*CPU/);
    const third = world.newest();
    assert.deepEqual(third.args.slice(-2), ["--device", "cpu"]);
    third.serve();
    third.ids().forEach((id) => third.answer(id));
    third.answer(call.id);
    await settle();
    assert.equal(call.outcome, call.id);
  }
});

test("progress of a child that serves does not end the watch over it", async () => {
  const world = serving();
  await world.clock.pass(5_000);
  for (let s = 0; s < 10; s++) {
    world.newest().progress("warmup", s, 10);
    await world.clock.pass(1_000);
  }
  assert.match(world.children[0].killed, /did not answer health/);
});

test("a child that says nothing more once it drains or has failed is killed", async () => {
  for (const state of ["draining", "failed"]) {
    const world = serving();
    const call = world.embed();
    await world.clock.pass(7_000);
    const [child] = world.children;
    child.health(state);
    await world.clock.pass(4_999);
    // An answer to an earlier question does not let it off.
    child.ids("health").forEach((id) => child.answer(id, { state }));
    assert.equal(child.killed, null);
    await world.clock.pass(1);
    assert.match(child.killed, /said that it ends, and did not within 5000 ms/);
    await world.clock.pass(0);
    world.newest().serve();
    assert.deepEqual(world.newest().ids(), [call.id]);
  }
});

test("a state that this version does not know changes nothing", async () => {
  const world = serving();
  world.newest().health("resting");
  const call = world.embed();
  assert.deepEqual(world.newest().ids(), [call.id]);
  assert.deepEqual(world.told.states, ["ready", "resting"]);
  await world.clock.pass(15_000);
  assert.match(world.children[0].killed, /did not answer health/);
});

test("a child that does not say hello is replaced", async () => {
  const world = supervise();
  await world.clock.pass(60_000);
  assert.match(world.children[0].killed, /hello within 60000 ms/);
  assert.equal(world.children.length, 2);
});
