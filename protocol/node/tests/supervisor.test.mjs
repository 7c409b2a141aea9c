// What becomes of the requests when the child dies, hangs or refuses. No process, no waiting.

import assert from "node:assert/strict";
import { test } from "node:test";

import { settle, supervise } from "./fakes.mjs";

/** A supervisor whose first child serves. */
function serving(options) {
  const world = supervise(options);
  world.newest().serve();
  return world;
}

/** Wait out the pause before the next child, and let it serve. */
async function nextChild({ clock, children, newest }) {
  const before = children.length;
  await clock.pass(20_000);
  assert.equal(children.length, before + 1, "no child was started");
  newest().serve();
  return newest();
}

const outcomes = (calls) => calls.map(({ outcome }) => outcome);
const ids = (calls) => calls.map(({ id }) => id);

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

test("no more bytes are sent than the child keeps", () => {
  const world = serving({ maxPendingBytes: 2 ** 30 });
  const submit = () => world.it.submit("embed", { blob: new Uint8Array(2 ** 19) }, { nAudios: 1 });
  const requests = [submit(), submit(), submit()];
  assert.deepEqual(world.newest().ids(), [requests[0].id]);
  world.newest().answer(requests[0].id);
  assert.deepEqual(world.newest().ids(), ids(requests.slice(0, 2)));
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

test("after its second death a request is alone in flight", async () => {
  const world = serving();
  const calls = [world.embed(), world.embed(), world.embed()];
  world.newest().die();
  const second = await nextChild(world);
  assert.deepEqual(second.ids(), ids(calls));
  second.answer(calls[2].id);
  second.die();
  const third = await nextChild(world);
  const late = world.embed();
  assert.deepEqual(third.ids(), [calls[0].id]);
  third.answer(calls[0].id);
  assert.deepEqual(third.ids(), ids(calls.slice(0, 2)));
  third.answer(calls[1].id);
  assert.deepEqual(third.ids(), [...ids(calls.slice(0, 2)), late.id]);
  third.answer(late.id);
  await settle();
  assert.deepEqual(outcomes([...calls, late]), ids([...calls, late]));
});

test("what needs no model is sent at once, whatever is in flight or waits", async () => {
  const world = serving();
  const call = world.embed();
  world.newest().die();
  (await nextChild(world)).die();
  const third = await nextChild(world);
  const [proof] = third.ids();
  const health = world.it.submit("health", {}, { nAudios: 0 });
  assert.deepEqual(third.ids("health"), [health.id]);
  assert.deepEqual(third.ids(), [proof]);
  third.answer(proof);
  assert.deepEqual(third.ids(), [proof, call.id]);
  const metrics = world.it.submit("metrics", {}, { nAudios: 0 });
  third.answer(health.id);
  assert.deepEqual(await health.answer, { answered: health.id });
  third.answer(call.id);
  third.die();
  const fourth = await nextChild(world);
  assert.deepEqual(fourth.ids("metrics"), [metrics.id]);
  fourth.answer(metrics.id);
  await metrics.answer;
});

/** Serve with children that die of the requests in `poison`, and answer all others, one by one. */
async function serveUntilIdle(world, poison, answersProof = true) {
  for (let n = 0; n < 40; n++) {
    await settle();
    if (world.it.nPending === 0) return;
    const child = world.newest();
    if (child.hasEnded) {
      await world.clock.pass(20_000);
      if (world.newest() === child) return;
      world.newest().serve();
      continue;
    }
    const open = child.ids().filter((id) => !(child.done ??= new Set()).has(id));
    assert.ok(open.length > 0, "it has nothing to do");
    const [id] = open;
    child.done.add(id);
    const isProof = child.received.some((message) => message.id === id && message.params.audio);
    if (poison.has(id) || (isProof && !answersProof)) child.die({ signal: "SIGSEGV" });
    else child.answer(id);
  }
  assert.fail("it did not come to an end");
}

for (const [where, index, n] of [
  ["the only one", 0, 1],
  ["the first of six", 0, 6],
  ["in the middle", 3, 6],
  ["the last", 5, 6],
]) {
  test(`a request that kills its child is found and rejected alone: ${where}`, async () => {
    const world = serving();
    const calls = Array.from({ length: n }, () => world.embed());
    const poison = calls[index];
    await serveUntilIdle(world, new Set([poison.id]));
    assert.equal(poison.outcome, "KillsChild");
    assert.match(poison.error.message, /4 children.*SIGSEGV/);
    assert.deepEqual([poison.error.code, poison.error.retryable], [null, false]);
    const others = calls.filter((call) => call !== poison);
    assert.deepEqual(outcomes(others), ids(others));
    assert.equal(world.children.filter(({ hasEnded }) => hasEnded).length, 4);
    const sends = world.children.flatMap((child) => child.ids()).filter((id) => id === poison.id);
    assert.equal(sends.length, 4, "it is sent once, and again three times");
    // And life goes on.
    const later = world.embed();
    await serveUntilIdle(world, new Set());
    assert.equal(later.outcome, later.id);
  });
}

test("two that kill, among others", async () => {
  const world = serving();
  const calls = Array.from({ length: 6 }, () => world.embed());
  await serveUntilIdle(world, new Set([calls[0].id, calls[1].id]));
  assert.deepEqual(outcomes(calls), ["KillsChild", "KillsChild", ...ids(calls.slice(2))]);
});

test("a child that dies of everything is given up after three deaths", async () => {
  const world = serving();
  const calls = Array.from({ length: 6 }, () => world.embed());
  await serveUntilIdle(world, new Set(ids(calls)), false);
  assert.equal(world.children.length, 3);
  assert.deepEqual(
    outcomes(calls),
    calls.map(() => "ChildGone"),
  );
  assert.match(calls[0].error.message, /three times, with no answer between.*SIGSEGV/);
  assert.deepEqual(
    world.told.exits.map(({ willRestart }) => willRestart),
    [true, true, false],
  );
  assert.throws(() => world.embed(), { name: "ChildGone" });
});

test("an answer that needs no model is no proof", async () => {
  const world = serving();
  const call = world.embed();
  for (let n = 0; n < 3; n++) {
    const health = world.it.submit("health", {}, { nAudios: 0 });
    world.newest().answer(health.id);
    world.newest().die();
    await world.clock.pass(20_000);
    if (n < 2) world.newest().serve();
  }
  assert.equal(call.outcome, "ChildGone");
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
  for (const end of [{ code: 64 }, { started: false, fault: "spawn fake ENOENT" }]) {
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

test("an internal error of a child that goes on is the request's answer", async () => {
  const world = serving();
  const call = world.embed();
  world.newest().fail(call.id, -32603, "internal");
  await settle();
  assert.equal(call.outcome, "InternalError");
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

test("a child that loads may take its time", async () => {
  const world = supervise();
  world.newest().hello();
  world.newest().health("loading");
  await world.clock.pass(10 * 60_000);
  assert.equal(world.newest().killed, null);
});

test("a child that does not say hello is replaced", async () => {
  const world = supervise();
  await world.clock.pass(60_000);
  assert.match(world.children[0].killed, /hello within 60000 ms/);
  assert.equal(world.children.length, 2);
});

test("overloaded is asked again when the child said, in the same order", async () => {
  const world = serving();
  const calls = [world.embed(), world.embed()];
  const child = world.newest();
  child.fail(calls[0].id, -32001, "overloaded", { retry_after_ms: 300 });
  const late = world.embed();
  await world.clock.pass(299);
  assert.deepEqual(child.ids(), ids(calls));
  await world.clock.pass(1);
  assert.deepEqual(child.ids(), ids([...calls, calls[0], late]));
  for (const call of [...calls, late]) child.answer(call.id);
  await settle();
  assert.deepEqual(outcomes([...calls, late]), ids([...calls, late]));
});

test("what is pending is bounded in bytes, but one request always finds its place", async () => {
  const world = supervise({ maxPendingBytes: 1_000 });
  const submit = (nBytes) =>
    world.it.submit("embed", { blob: new Uint8Array(nBytes) }, { nAudios: 1 });
  const call = submit(2_000);
  assert.throws(() => submit(10), { name: "Overloaded", retryable: true });
  world.newest().serve();
  world.newest().answer(call.id);
  submit(400);
  assert.throws(() => submit(600), /at most 100 of 1000 bytes may wait/);
  submit(300);
});

test("nothing is written while the pipe is full", async () => {
  const world = serving();
  const child = world.newest();
  child.isWritable = false;
  const calls = [world.embed(), world.embed()];
  assert.deepEqual(child.ids(), []);
  child.isWritable = true;
  child.listener.onWritable();
  assert.deepEqual(child.ids(), ids(calls));
});

test("a withdrawn request is cancelled once, and its answer is ignored", async () => {
  const world = serving();
  const call = world.embed();
  for (let n = 0; n < 2; n++) world.it.withdraw(call.request, new Error("no longer wanted"));
  const child = world.newest();
  assert.deepEqual(child.received.at(-1), {
    jsonrpc: "2.0",
    method: "cancel",
    params: { id: call.id },
  });
  assert.equal(child.received.length, 2);
  child.answer(call.id);
  await settle();
  assert.deepEqual([call.outcome, call.nSettled, world.it.nPending], ["Error", 1, 0]);
});

test("a child that answers a withdrawn request as cancelled does not end", async () => {
  const world = serving();
  const call = world.embed();
  world.it.withdraw(call.request, new Error("no longer wanted"));
  world.newest().fail(call.id, -32800, "cancelled");
  assert.equal(world.it.nPending, 0);
  await world.clock.pass(6_000);
  assert.equal(world.newest().killed, null);
});

test("a withdrawn request is not sent to the next child", async () => {
  const world = serving();
  const calls = [world.embed(), world.embed()];
  world.it.withdraw(calls[0].request, new Error("no longer wanted"));
  world.newest().die();
  assert.deepEqual((await nextChild(world)).ids(), [calls[1].id]);
});

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
