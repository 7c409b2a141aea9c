// The sidecar's states, another start, the app's own policy. No process, no waiting.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ids, nextChild, outcomes, serving, settle, supervise } from "./fakes.mjs";

async function diesThrice(world) {
  for (let n = 0; n < 3; n++) {
    world.newest().die({ signal: "SIGKILL" });
    await world.clock.pass(20_000);
  }
}

test("every state is told, once", async () => {
  const world = supervise();
  world.newest().hello();
  world.newest().health("loading");
  world.newest().health("ready");
  world.newest().health("draining");
  world.newest().die();
  await world.clock.pass(0);
  world.newest().hello();
  world.newest().health("degraded");
  const closing = world.it.close(0);
  world.newest().die({ code: 0 });
  await closing;
  assert.deepEqual(world.told.own, [
    ...["starting", "loading", "ready", "restarting"],
    ...["starting", "loading", "degraded", "closing", "closed"],
  ]);
});

test("after three deaths it can be started again, with all that it had", async () => {
  const world = serving();
  await diesThrice(world);
  assert.equal(world.it.state, "failed");
  assert.throws(() => world.embed(), { name: "ChildGone" });
  assert.equal(world.clock.nHolds, 0);
  const restarted = world.it.restart();
  await settle();
  assert.equal(world.children.length, 4);
  const call = world.embed();
  world.newest().serve();
  await restarted;
  world.newest().answer(call.id);
  await settle();
  assert.deepEqual([call.outcome, world.it.state], [call.id, "ready"]);
  // And it has three tries again.
  await diesThrice(world);
  assert.deepEqual([world.children.length, world.it.state], [6, "failed"]);
});

test("a child that serves is replaced; what it had is sent again, and is not suspected", async () => {
  const world = serving();
  const calls = [world.embed(), world.embed()];
  for (let n = 0; n < 5; n++) {
    const child = world.newest();
    const restarted = world.it.restart();
    const again = world.it.restart();
    await settle();
    assert.equal(child.ids("shutdown").length, 1);
    assert.equal(child.inputEnded, true);
    child.fail(calls[0].id, -32800, "cancelled");
    child.die({ code: 0 });
    await world.clock.pass(0);
    world.newest().serve();
    await Promise.all([restarted, again]);
    assert.deepEqual(world.newest().ids(), ids(calls), "both at once");
  }
  const [exit] = world.told.exits;
  assert.deepEqual([exit.kind, exit.willRestart], ["replaced", true]);
  assert.equal(world.children.length, 6);
});

test("while the next start is waited for, a restart comes at once", async () => {
  const world = serving();
  world.newest().die();
  await world.clock.pass(0);
  world.newest().die();
  assert.equal(world.told.restarts.at(-1).delayMs, 1_000);
  const restarted = world.it.restart();
  await settle();
  assert.equal(world.children.length, 3);
  world.newest().serve();
  await restarted;
  await world.clock.pass(2_000);
  assert.equal(world.children.length, 3, "the one that was waited for does not come, too");
});

test("one that was closed can be started again", async () => {
  const world = serving();
  const closing = world.it.close(0);
  const restarted = world.it.restart();
  world.children[0].die({ code: 0 });
  await closing;
  await settle();
  world.newest().serve();
  await restarted;
  const call = world.embed();
  world.newest().answer(call.id);
  await settle();
  assert.deepEqual([call.outcome, world.it.state], [call.id, "ready"]);
  const second = world.it.close(0);
  world.newest().die({ code: 0 });
  await second;
  assert.equal(world.it.state, "closed");
});

test("a close during a restart rejects it, and ends the child", async () => {
  const world = serving();
  const restarted = world.it.restart();
  await settle();
  const closing = world.it.close(0);
  await assert.rejects(restarted, { name: "Closed" });
  world.newest().die({ code: 0 });
  await closing;
  assert.equal(world.children.length, 1);
});

test("a restart after a permanent fault tries anew: the model may be there now", async () => {
  const world = supervise();
  const error = { code: -32011, kind: "offline", retryable: false };
  world.newest().health("failed", "no weights", error);
  await assert.rejects(world.started, { kind: "offline" });
  const restarted = world.it.restart();
  world.newest().die({ code: 69 });
  await world.clock.pass(0);
  world.newest().serve();
  await restarted;
  assert.equal(world.it.state, "ready");
});

test("the app may stop what would go on", async () => {
  const asked = [];
  const onExit = (exit) => {
    asked.push([exit.kind, exit.willRestart]);
    return "stop";
  };
  const world = serving({ onExit });
  const call = world.embed();
  world.newest().die({ code: 70 });
  await settle();
  assert.deepEqual([call.outcome, world.it.state], ["ChildGone", "failed"]);
  assert.match(call.error.message, /serves: it ended with exit code 70/);
  assert.deepEqual(asked, [["fault", true]]);
  assert.equal(world.told.exits[0].willRestart, false);
});

test("and go on where all tries are over", async () => {
  const asked = [];
  const onExit = ({ willRestart }) => {
    asked.push(willRestart);
    return asked.length < 6 ? "restart" : undefined;
  };
  const world = supervise({ onExit });
  const waiting = world.embed();
  for (let n = 0; n < 5; n++) {
    world.newest().die({ code: 64 });
    assert.equal(world.told.restarts.length, n + 1);
    await world.clock.pass(20_000);
  }
  assert.equal(waiting.outcome, "pending");
  world.newest().die({ code: 64 });
  await settle();
  assert.equal(waiting.outcome, "ChildGone");
  assert.deepEqual(asked, Array(6).fill(false));
});

test("a policy that says nothing, or nonsense, changes nothing", async () => {
  for (const answer of [undefined, null, "later", true]) {
    const world = serving({ onExit: () => answer });
    world.newest().die();
    await nextChild(world);
    assert.equal(world.it.state, "ready");
  }
});

test("a policy is not asked of an end that was wanted", async () => {
  const onExit = () => assert.fail("it is asked");
  const world = serving({ onExit });
  const closing = world.it.close(0);
  world.newest().die({ code: 0 });
  await closing;
});

test("what keeps the process alive: a child, and with unref only calls", async () => {
  const world = serving();
  assert.equal(world.clock.nHolds, 1);
  world.it.unref = true;
  assert.equal(world.clock.nHolds, 0);
  const calls = [world.embed(), world.embed()];
  assert.equal(world.clock.nHolds, 1);
  // Also while no child is there.
  world.newest().die();
  await nextChild(world);
  assert.equal(world.clock.nHolds, 1);
  for (const { id } of calls) world.newest().answer(id);
  await settle();
  assert.equal(world.clock.nHolds, 0);
  world.it.unref = false;
  assert.equal(world.clock.nHolds, 1);
  const closing = world.it.close(0);
  assert.equal(world.clock.nHolds, 1);
  world.newest().die({ code: 0 });
  await closing;
  assert.deepEqual([world.clock.nHolds, ...outcomes(calls)], [0, ...ids(calls)]);
});
