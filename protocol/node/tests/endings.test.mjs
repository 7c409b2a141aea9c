// How a child's end is read: what was no answer, and when the CPU serves. No process, no waiting.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ids, nextChild, serving, settle } from "./fakes.mjs";

test("after two device faults in a row the CPU serves", async () => {
  const world = serving();
  const call = world.embed();
  for (const child of [world.newest(), null]) {
    const faulty = child ?? (await nextChild(world));
    assert.deepEqual(faulty.args.slice(0, 1), ["--gpu"]);
    faulty.fail(call.id, -32020, "device_error", { retryable: true });
    faulty.health("failed", "the GPU fell off the bus");
    faulty.die({ code: 70 });
  }
  assert.deepEqual(
    world.told.restarts.map(({ device }) => device),
    [null, "cpu"],
  );
  assert.match(world.told.logs.at(-1).text, /twice in a row.*CPU/);
  const third = await nextChild(world);
  assert.deepEqual(third.args, ["--parent-pid", String(process.pid), "--device", "cpu"]);
  // First the proof that it serves at all, then the call.
  third.answer(third.ids()[0]);
  third.answer(call.id);
  await settle();
  assert.equal(call.outcome, call.id);
  // It stays there.
  third.die({ signal: "SIGKILL" });
  assert.equal(world.told.restarts.at(-1).device, "cpu");
});

test("a device fault, then another death, then a device fault: no reason for the CPU", async () => {
  const world = serving();
  for (const end of [{ code: 70 }, { signal: "SIGKILL" }, { code: 70 }]) {
    const call = world.embed();
    world.newest().answer(call.id);
    if (end.code) world.newest().health("failed", "the device failed");
    world.newest().die(end);
    await nextChild(world);
  }
  assert.deepEqual(
    world.told.restarts.map(({ device }) => device),
    [null, null, null],
  );
});

test("a minute of service between two device faults: no reason for the CPU", async () => {
  const world = serving();
  for (let n = 0; n < 2; n++) {
    for (let s = 0; s < 61; s++) {
      await world.clock.pass(1_000);
      world
        .newest()
        .ids("health")
        .forEach((id) => world.newest().answer(id));
    }
    world.newest().health("failed", "the device failed");
    world.newest().die({ code: 70 });
    await nextChild(world);
  }
  assert.deepEqual(
    world.told.restarts.map(({ device }) => device),
    [null, null],
  );
});

test("an internal fault is no device fault", async () => {
  const world = serving();
  for (let n = 0; n < 2; n++) {
    const call = world.embed();
    const child = world.newest();
    child.health("failed", "a bug");
    child.fail(call.id, -32603, "internal");
    child.die({ code: 70 });
    const next = await nextChild(world);
    await settle();
    assert.equal(call.outcome, "pending", "it is the child's end, not the answer");
    next.ids().forEach((id) => next.answer(id));
    next.ids().forEach((id) => next.answer(id));
    await settle();
    assert.equal(call.outcome, call.id);
  }
  assert.deepEqual(
    world.told.restarts.map(({ device }) => device),
    [null, null],
  );
});

test("a batch whose items say that the device failed is no answer", async () => {
  const world = serving();
  const call = world.embed(2);
  const item = { error: { code: -32020, message: "the device failed", data: {} } };
  world.newest().answer(call.id, { results: [{ result: {} }, item] });
  await settle();
  assert.equal(call.outcome, "pending");
  world.newest().die({ code: 70 });
  const second = await nextChild(world);
  second.answer(call.id);
  await settle();
  assert.equal(call.outcome, call.id);
});

test("a child that is told to end by somebody else loses nothing", async () => {
  const world = serving();
  const calls = [world.embed(), world.embed()];
  const [first] = world.children;
  first.health("draining", "SIGTERM");
  const late = world.embed();
  assert.deepEqual(first.ids(), ids(calls), "nothing more is sent to it");
  first.fail(calls[0].id, -32800, "cancelled");
  first.fail(calls[1].id, -32003, "draining");
  first.die({ code: 0 });
  const second = await nextChild(world);
  assert.deepEqual(second.ids(), ids([...calls, late]));
});

test("an internal error of a child that goes on is the request's answer", async () => {
  const world = serving();
  const call = world.embed();
  world.newest().fail(call.id, -32603, "internal");
  await settle();
  assert.equal(call.outcome, "InternalError");
});
