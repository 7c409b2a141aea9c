// Which request kills its child is found out. No process, no waiting.

import assert from "node:assert/strict";
import { test } from "node:test";

import backlogs from "../dist/backlog.js";

import { ids, nextChild, outcomes, serving, settle } from "./fakes.mjs";

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

test("one that is suspected waits until nothing else is in flight", () => {
  const backlog = new backlogs.Backlog(10, 1_000);
  const audio = { nBytes: 1, nAudios: 1, needsModel: true, alone: false };
  const job = (id, nDeaths) => ({ ...audio, id, nDeaths });
  const [fresh, suspect, later] = [job(1, 0), job(2, 2), job(3, 0)];
  for (const it of [fresh, suspect, later]) backlog.add(it);
  const next = () => backlog.next(true, { maxInFlight: 8, maxQueuedBytes: 1_000 });
  assert.deepEqual([next(), next()], [fresh, undefined]);
  backlog.remove(fresh);
  assert.deepEqual([next(), next()], [suspect, undefined]);
  backlog.remove(suspect);
  assert.equal(next(), later);
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
