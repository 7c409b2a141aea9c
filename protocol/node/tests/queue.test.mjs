// What is sent when, and what waits. No process, no waiting.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ids, nextChild, outcomes, serving, settle, supervise } from "./fakes.mjs";

test("no more bytes are sent than the child keeps", () => {
  const world = serving({ maxPendingBytes: 2 ** 30 });
  const submit = () => world.it.submit("embed", { blob: new Uint8Array(2 ** 19) }, { nAudios: 1 });
  const requests = [submit(), submit(), submit()];
  assert.deepEqual(world.newest().ids(), [requests[0].id]);
  world.newest().answer(requests[0].id);
  assert.deepEqual(world.newest().ids(), ids(requests.slice(0, 2)));
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

test("a pause of one child is not its successor's", async () => {
  const world = serving();
  const call = world.embed();
  world.newest().fail(call.id, -32001, "overloaded", { retry_after_ms: 60_000 });
  world.newest().die();
  await world.clock.pass(0);
  world.newest().serve();
  assert.deepEqual(world.newest().ids(), [call.id]);
});

test("a withdrawn request is pending no more, and its bytes are let go", async () => {
  const world = serving({ maxPendingBytes: 1_000 });
  const submit = () => world.it.submit("embed", { blob: new Uint8Array(900) }, { nAudios: 1 });
  const first = submit();
  first.answer.catch(() => undefined);
  assert.throws(submit, { name: "Overloaded" });
  world.it.withdraw(first, new Error("no longer wanted"));
  assert.deepEqual([world.it.nPending, first.frame.length], [0, 0]);
  const second = submit();
  assert.equal(world.it.nPending, 1);
  // What the child says of it now changes no count.
  world.newest().answer(first.id);
  assert.equal(world.it.nPending, 1);
  assert.throws(submit, { name: "Overloaded" });
  world.newest().answer(second.id);
  submit();
  assert.equal(world.it.nPending, 1);
});

test("one that the child still has when it dies is not sent again", async () => {
  const world = serving();
  const calls = [world.embed(), world.embed()];
  world.it.withdraw(calls[0].request, new Error("no longer wanted"));
  world.newest().die();
  assert.equal(world.it.nPending, 1);
  const second = await nextChild(world);
  assert.deepEqual(second.ids(), [calls[1].id]);
});
