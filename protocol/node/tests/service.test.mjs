// The sidecar of an app that lives without it, too: what is reported, and what its pages get.

import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { test } from "node:test";

import { closeBeforeQuit, CommandNotFound } from "speaker-sidecar";
import { serveSpeaker, SpeakerService } from "speaker-sidecar/main";
import { exposeSpeaker } from "speaker-sidecar/preload";

import { FakeIpcMain, FakePage } from "./fake_electron.mjs";
import { appSidecar, settle } from "./fakes.mjs";

// As Electron has it; in Node 18 it is no global.
globalThis.crypto ??= webcrypto;

/** A service whose starts settle as the test says: `starts` are their promises' functions. */
function serviceWorld() {
  const starts = [];
  const service = new SpeakerService(({ signal }) => {
    return new Promise((resolve, reject) => {
      starts.push({ resolve, reject, signal });
      signal.addEventListener("abort", () => reject(signal.reason));
    });
  });
  const states = [];
  service.onReport(({ state, error }) => states.push(error === null ? state : error.kind));
  return { service, starts, states };
}

test("it starts at once, and reports what the sidecar does", async () => {
  const { service, starts, states } = serviceWorld();
  assert.equal(service.report.state, "starting");
  await settle();
  const { it, newest, clock } = await appSidecar();
  starts[0].resolve(it);
  await settle();
  assert.equal(await service.sidecar, it);
  assert.equal(service.report.health.model.fingerprint, "f.1");
  newest().die({ code: 1 });
  await settle();
  assert.equal(service.state, "restarting");
  await clock.pass(1);
  newest().hello();
  newest().progress("load", 1, 2);
  await settle();
  assert.equal(service.state, "loading");
  assert.deepEqual(service.report.progress, { phase: "load", done: 1, total: 2, unit: "steps" });
  newest().health("ready", "ready", undefined, { fingerprint: "f.2" });
  await settle();
  assert.deepEqual([service.state, service.report.progress], ["ready", null]);
  assert.ok(states.includes("restarting") && states.at(-1) === "ready", states.join());
});

test("one that cannot be started says why, to every call, until it is started again", async () => {
  const { service, starts } = serviceWorld();
  await settle();
  const missing = new CommandNotFound("it is not installed");
  starts[0].reject(missing);
  await settle();
  assert.equal(service.report.error.kind, "command_not_found");
  await assert.rejects(service.sidecar, missing);
  const restarted = service.restart();
  assert.deepEqual([service.state, service.report.error], ["starting", null]);
  await settle();
  // A second click changes nothing.
  await service.restart();
  assert.equal(starts.length, 2);
  starts[1].resolve((await appSidecar()).it);
  await restarted;
  assert.equal(service.state, "ready");
});

test("a start that throws at once is one that fails", async () => {
  const service = new SpeakerService(() => {
    throw new CommandNotFound("it is not there");
  });
  await settle();
  assert.equal(service.report.error.message, "it is not there");
});

test("one that is given up tells its fault, and is started again in its place", async () => {
  const { service, starts } = serviceWorld();
  const { it, newest, children, clock } = await appSidecar();
  await settle();
  starts[0].resolve(it);
  await settle();
  while (it.state !== "failed") {
    newest().die({ code: 1 });
    await clock.pass(20_000);
  }
  await settle();
  const { state, error } = service.report;
  assert.deepEqual([state, error.name], ["failed", "ChildGone"]);
  const nBefore = children.length;
  const restarted = service.restart();
  await settle();
  assert.equal(children.length, nBefore + 1);
  newest().serve();
  await restarted;
  await settle();
  assert.deepEqual([service.state, service.report.error], ["ready", null]);
  assert.equal(starts.length, 1, "it is the same sidecar");
});

test("an app quits while the sidecar starts, serves, or has failed", async () => {
  for (const outcome of ["starting", "serving", "failed"]) {
    const { service, starts } = serviceWorld();
    await settle();
    const world = await appSidecar();
    if (outcome === "serving") starts[0].resolve(world.it);
    if (outcome === "failed") starts[0].reject(new CommandNotFound("it is not there"));
    await settle();
    const quits = [];
    let willQuit;
    closeBeforeQuit(
      { on: (_, listener) => (willQuit = listener), quit: () => quits.push(1) },
      service,
    );
    let isPrevented = false;
    willQuit({ defaultPrevented: false, preventDefault: () => (isPrevented = true) });
    assert.equal(isPrevented, true, outcome);
    await settle();
    if (outcome === "serving") world.newest().die({ code: 0 });
    await settle();
    await new Promise(setImmediate);
    assert.equal(service.state, "closed", outcome);
    assert.deepEqual(quits, [1], outcome);
    assert.equal(starts[0].signal.aborted, true);
    isPrevented = false;
    willQuit({ defaultPrevented: false, preventDefault: () => (isPrevented = true) });
    assert.equal(isPrevented, false, outcome);
  }
});

test("a page that is gone before the sidecar is there gets no stream", async () => {
  const { service, starts } = serviceWorld();
  const ipcMain = new FakeIpcMain();
  serveSpeaker({ ipcMain, sidecar: service });
  const page = new FakePage(ipcMain);
  exposeSpeaker(page.electron());
  const rate = { sampleRateHz: 8_000 };
  const { answer } = page.exposed.speakerSidecar.openLive(rate, () => undefined);
  await settle();
  page.emit("did-navigate");
  const { it, newest } = await appSidecar();
  starts[0].resolve(it);
  assert.equal((await answer).error.kind, "cancelled");
  assert.deepEqual(newest().ids("stream_open"), []);
});

test("pages follow it, wait for it, and start it again", async () => {
  const { service, starts } = serviceWorld();
  const ipcMain = new FakeIpcMain();
  serveSpeaker({ ipcMain, sidecar: service });
  const page = new FakePage(ipcMain);
  exposeSpeaker(page.electron());
  const { speakerSidecar: bridge } = page.exposed;
  const reports = [];
  await bridge.followService((report) => reports.push(report));
  assert.deepEqual(
    reports.map(({ state }) => state),
    ["starting"],
  );
  starts[0].reject(new CommandNotFound("it is not there"));
  await settle();
  assert.equal(reports.at(-1).error.message, "it is not there");
  assert.equal((await bridge.list()).error.kind, "command_not_found");
  const restarted = bridge.restartService();
  const list = bridge.list();
  await settle();
  const world = await appSidecar();
  starts[1].resolve(world.it);
  assert.deepEqual(await restarted, { value: undefined });
  await settle();
  world.newest().answerWith("child_people_result");
  assert.equal((await list).value.length > 0, true, "what was asked meanwhile is answered");
  assert.equal(reports.at(-1).state, "ready");
  // Who is loaded anew is told nothing of what was followed before, and can follow again.
  const nBefore = reports.length;
  page.emit("did-navigate");
  world.newest().health("degraded");
  await settle();
  assert.equal(reports.length, nBefore);
  await bridge.followService((report) => reports.push(report));
  assert.equal(reports.at(-1).state, "degraded");
});
