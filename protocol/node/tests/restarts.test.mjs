// What becomes of the requests when the child dies, and when the next one comes. No process, no waiting.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ids, nextChild, outcomes, serving, settle, supervise } from "./fakes.mjs";

const systemError = (code) => Object.assign(new Error(`spawn fake ${code}`), { code });

test("what was in flight is sent again, in its order, before what waited", async () => {
  const world = serving();
  const calls = Array.from({ length: 10 }, () => world.embed());
  const [first] = world.children;
  assert.deepEqual(first.ids(), ids(calls.slice(0, 8)), "as many as hello allows");
  first.answer(calls[1].id);
  assert.deepEqual(first.ids().length, 9);
  first.die({ signal: "SIGKILL" });
  const second = await nextChild(world);
  assert.deepEqual(second.ids(), ids([calls[0], ...calls.slice(2, 9)]));
  second.ids().forEach((id) => second.answer(id));
  second.answer(calls[9].id);
  await settle();
  assert.deepEqual(outcomes(calls), ids(calls));
  assert.ok(calls.every(({ nSettled }) => nSettled === 1));
});

test("nothing that takes the model is sent before the child serves", async () => {
  const { newest, embed, it } = supervise();
  const call = embed();
  newest().hello();
  newest().health("loading");
  assert.deepEqual(newest().received, []);
  it.submit("health", {}, { nAudios: 0 });
  assert.deepEqual(
    newest().received.map(({ method }) => method),
    ["health"],
  );
  newest().health("ready");
  assert.deepEqual(newest().ids(), [call.id]);
});

test("nor before the next child serves", async () => {
  const world = serving();
  const call = world.embed();
  world.newest().die();
  await world.clock.pass(0);
  world.newest().hello();
  assert.deepEqual(world.newest().ids(), []);
  world.newest().health("degraded");
  assert.deepEqual(world.newest().ids(), [call.id]);
});

test("restarts come after 0, 1, 5, 15, 15 s; after a minute of service after 0 s again", async () => {
  const world = serving();
  for (const delayMs of [0, 1_000, 5_000, 15_000, 15_000]) {
    const call = world.embed();
    world.newest().answer(call.id);
    world.newest().die({ signal: "SIGSEGV" });
    assert.equal(world.told.restarts.at(-1).delayMs, delayMs);
    const n = world.children.length;
    if (delayMs > 0) {
      await world.clock.pass(delayMs - 1);
      assert.equal(world.children.length, n);
    }
    await world.clock.pass(1);
    assert.equal(world.children.length, n + 1);
    world.newest().serve();
  }
  const answerHealth = () =>
    world
      .newest()
      .ids("health")
      .forEach((id) => world.newest().answer(id));
  for (let s = 0; s < 61; s++) {
    await world.clock.pass(1_000);
    answerHealth();
  }
  world.newest().die({ signal: "SIGSEGV" });
  assert.equal(world.told.restarts.at(-1).delayMs, 0);
});

test("a delay has jitter", async () => {
  const world = serving();
  world.clock.jitter = 0.5;
  world.newest().die();
  await world.clock.pass(0);
  world.newest().serve();
  world.newest().answer(world.embed().id);
  world.newest().die();
  assert.equal(world.told.restarts.at(-1).delayMs, 1_100);
});

test("a child that cannot load is given up with its reason, and so is the start", async () => {
  const world = supervise();
  const waiting = world.embed();
  for (let n = 0; n < 3; n++) {
    world.newest().health("failed", "the weights are damaged");
    world.newest().die({ code: 69 });
    await world.clock.pass(20_000);
  }
  assert.equal(waiting.outcome, "ChildGone");
  assert.deepEqual(
    world.told.restarts.map(({ device }) => device),
    [null, null],
    "what is asked for is not there: that is no fault of a device",
  );
  await assert.rejects(world.started, /exit code 69 \(the model.*the weights are damaged/);
});

test("a child that cannot load once is no loss", async () => {
  const world = supervise();
  const waiting = world.embed();
  world.newest().hello();
  world.newest().health("failed", "the network is down");
  world.newest().die({ code: 69 });
  const second = await nextChild(world);
  second.answer(waiting.id);
  await settle();
  assert.equal(waiting.outcome, waiting.id);
  await world.started;
});

test("refused options, and a program that is not there, are final at once", async () => {
  const spawnError = systemError("ENOENT");
  for (const end of [{ code: 64 }, { spawnError }]) {
    const world = supervise();
    world.newest().die(end);
    await assert.rejects(world.started, { name: "ChildGone" });
    assert.equal(world.told.exits[0].willRestart, false);
  }
});

test("another protocol is refused with both numbers, also after a restart", async () => {
  const world = serving();
  const call = world.embed();
  world.newest().die();
  await world.clock.pass(0);
  world.newest().hello(2);
  await settle();
  assert.equal(call.outcome, "ProtocolMismatch");
  assert.match(call.error.message, /protocol 2, this package speaks 1/);
  assert.equal(world.children.length, 2);
});

test("where the system has no room for a process, it is asked again after each delay", async () => {
  const world = serving();
  const call = world.embed();
  const [first] = world.children;
  first.die({ signal: "SIGKILL" });
  await world.clock.pass(0);
  for (const [code, delayMs] of [
    ["EMFILE", 0],
    ["EAGAIN", 1_000],
    ["ENOMEM", 5_000],
    ["EMFILE", 15_000],
  ]) {
    world.newest().die({ spawnError: systemError(code) });
    assert.deepEqual(world.told.restarts.at(-1), {
      reason: `fake could not be started: spawn fake ${code}`,
      delayMs,
      device: null,
    });
    await world.clock.pass(delayMs);
  }
  assert.equal(world.children.length, 6);
  world.newest().serve();
  world.newest().answer(call.id);
  await settle();
  assert.equal(call.outcome, call.id);
  // That one ran: the next time begins anew.
  world.newest().die({ signal: "SIGKILL" });
  await world.clock.pass(1_000);
  world.newest().die({ spawnError: systemError("EMFILE") });
  assert.equal(world.told.restarts.at(-1).delayMs, 0);
});

test("and given up after the last of them", async () => {
  const world = supervise();
  const call = world.embed();
  for (let n = 0; n < 5; n++) {
    assert.equal(call.outcome, "pending");
    world.newest().die({ spawnError: systemError("EMFILE") });
    await world.clock.pass(15_000);
  }
  await assert.rejects(world.started, {
    name: "ChildGone",
    message: "no sidecar serves: fake could not be started: spawn fake EMFILE",
  });
  assert.deepEqual([call.outcome, world.children.length], ["ChildGone", 5]);
});

test("what spawn throws is treated as what it tells", async () => {
  const refused = supervise({ refusals: [systemError("ENOTDIR")] });
  await assert.rejects(refused.started, { name: "ChildGone", message: /spawn fake ENOTDIR/ });
  // Also where nobody could catch it.
  const refusals = [];
  const world = serving({ refusals });
  const call = world.embed();
  refusals.push(systemError("ENOMEM"), systemError("ETXTBSY"), systemError("EPERM"));
  world.newest().die();
  await world.clock.pass(999);
  assert.match(world.told.restarts.at(-1).reason, /ETXTBSY/);
  assert.equal(call.outcome, "pending");
  await world.clock.pass(1);
  assert.equal(call.outcome, "ChildGone");
  assert.deepEqual(world.told.exits.at(-1), {
    pid: null,
    code: null,
    signal: null,
    kind: "not_started",
    reason: "fake could not be started: spawn fake EPERM",
    willRestart: false,
  });
});
