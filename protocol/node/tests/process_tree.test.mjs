// Which trees are killed, and how: on this system, and as if on Windows. Nothing is really killed.

import assert from "node:assert/strict";
import childProcess from "node:child_process";
import { EventEmitter } from "node:events";
import { test } from "node:test";

import child from "../dist/child.js";
import trees from "../dist/process_tree.js";

import { FakeClock } from "./fakes.mjs";

const TASKKILL = /[\\/]System32[\\/]taskkill\.exe$/;

/** As if on `platform`; what was killed, and what was started, with `end` to end the last one. */
function pretend(t, platform, { taskkillStatus = 0 } = {}) {
  const own = Object.getOwnPropertyDescriptor(process, "platform");
  Object.defineProperty(process, "platform", { ...own, value: platform });
  t.after(() => Object.defineProperty(process, "platform", own));
  const did = { killed: [], started: [] };
  t.mock.method(process, "kill", (pid, signal) => did.killed.push([pid, signal]));
  t.mock.method(childProcess, "spawn", (command, args, options) => {
    const it = new EventEmitter();
    did.started.push({ command, args, options });
    did.end = (event, value) => it.emit(event, value);
    return it;
  });
  t.mock.method(childProcess, "spawnSync", (command, args, options) => {
    did.started.push({ command, args, options });
    return { status: taskkillStatus };
  });
  return did;
}

/** Run what runs at the exit of this process. */
function exit() {
  const before = process.listeners("exit");
  before.at(-1)();
}

test("elsewhere than on Windows the process group is killed", (t) => {
  const did = pretend(t, "linux");
  trees.killTree(4_711);
  assert.deepEqual(did, { killed: [[-4_711, "SIGKILL"]], started: [] });
});

test("a process that is gone already is no fault", (t) => {
  pretend(t, "darwin");
  t.mock.method(process, "kill", () => {
    throw Object.assign(new Error("kill ESRCH"), { code: "ESRCH" });
  });
  trees.killTree(4_711);
});

test("on Windows taskkill kills the tree, without a window", (t) => {
  const did = pretend(t, "win32");
  trees.endWithUs(4_711);
  t.after(() => trees.forget(4_711));
  trees.killTree(4_711);
  const [{ command, args, options }] = did.started;
  assert.match(command, TASKKILL);
  assert.deepEqual(args, ["/pid", "4711", "/t", "/f"]);
  assert.deepEqual(options, { windowsHide: true, stdio: "ignore" });
  did.end("exit", 0);
  assert.deepEqual(did.killed, []);
});

test("and where taskkill is not there, or fails, the child itself is killed", (t) => {
  const did = pretend(t, "win32");
  for (const [event, value] of [
    ["error", new Error("spawn taskkill.exe ENOENT")],
    ["exit", 1],
  ]) {
    trees.endWithUs(4_711);
    trees.killTree(4_711);
    did.end(event, value);
    trees.forget(4_711);
  }
  assert.deepEqual(did.killed, Array(2).fill([4_711, "SIGKILL"]));
  // Unless it has ended: its pid may be another's.
  trees.killTree(4_711);
  did.end("exit", 128);
  assert.equal(did.killed.length, 2);
});

test("what lives when this process ends is killed, and nothing else", (t) => {
  const did = pretend(t, "linux");
  const nListeners = process.listenerCount("exit");
  for (const pid of [1_001, 1_002, 1_003]) trees.endWithUs(pid);
  assert.equal(process.listenerCount("exit"), nListeners + 1);
  trees.forget(1_002);
  exit();
  assert.deepEqual(
    did.killed.map(([pid]) => pid),
    [-1_001, -1_003],
  );
  [1_001, 1_003].forEach(trees.forget);
  assert.equal(process.listenerCount("exit"), nListeners);
});

test("so on Windows, before this process is gone", (t) => {
  const did = pretend(t, "win32", { taskkillStatus: null });
  trees.endWithUs(1_001);
  t.after(() => trees.forget(1_001));
  exit();
  assert.match(did.started[0].command, TASKKILL);
  assert.deepEqual(did.killed, [[1_001, "SIGKILL"]], "taskkill could not be started");
});

for (const [platform, detached] of [
  ["win32", false],
  ["linux", true],
]) {
  test(`a child has no window, and on ${platform} ${detached ? "a group of its own" : "no console"}`, (t) => {
    const did = pretend(t, platform);
    const listener = { onEnd: () => undefined };
    const command = { command: "speaker-sidecar", args: ["--model", "m"], cwd: "folder" };
    new child.Child(command, new FakeClock(), listener);
    const [{ command: program, args, options }] = did.started;
    assert.deepEqual([program, ...args], ["speaker-sidecar", "--model", "m"]);
    assert.deepEqual(
      [options.windowsHide, options.detached, options.cwd, options.stdio],
      [true, detached, "folder", ["pipe", "pipe", "pipe"]],
    );
  });
}
