// Which trees are killed, and how: on this system, and as if on Windows. Nothing is really killed.

import assert from "node:assert/strict";
import childProcess from "node:child_process";
import { EventEmitter } from "node:events";
import { test } from "node:test";

import child from "../dist/child.js";
import trees from "../dist/process_tree.js";

import { FakeClock } from "./fakes.mjs";

/** As if on `platform`: what was killed, and what was started. */
function pretend(t, platform) {
  const own = Object.getOwnPropertyDescriptor(process, "platform");
  Object.defineProperty(process, "platform", { ...own, value: platform });
  t.after(() => Object.defineProperty(process, "platform", own));
  const did = { killed: [], started: [] };
  t.mock.method(process, "kill", (pid, signal) => did.killed.push([pid, signal]));
  t.mock.method(childProcess, "spawn", (command, args, options) => {
    did.started.push({ command, args, options });
    return new EventEmitter();
  });
  did.child = (pid) => ({ pid, kill: (signal) => did.killed.push([pid, signal]) });
  return did;
}

/** Run what runs at the exit of this process. */
function exit() {
  const before = process.listeners("exit");
  before.at(-1)();
}

test("elsewhere than on Windows the process group is killed", (t) => {
  const did = pretend(t, "linux");
  trees.killTree(did.child(4_711));
  assert.deepEqual(did.killed, [[-4_711, "SIGKILL"]]);
});

test("a process that is gone already is no fault", (t) => {
  const did = pretend(t, "darwin");
  t.mock.method(process, "kill", () => {
    throw Object.assign(new Error("kill ESRCH"), { code: "ESRCH" });
  });
  trees.killTree(did.child(4_711));
});

test("on Windows the child is killed, by its handle: its pid may be another's", (t) => {
  const did = pretend(t, "win32");
  trees.killTree(did.child(4_711));
  assert.deepEqual(did.killed, [[4_711, "SIGKILL"]]);
  assert.deepEqual(did.started, []);
});

for (const [platform, sign] of [
  ["linux", -1],
  ["win32", 1],
]) {
  test(`on ${platform}, what lives when this process ends is killed, and nothing else`, (t) => {
    const did = pretend(t, platform);
    const nListeners = process.listenerCount("exit");
    const children = [1_001, 1_002, 1_003].map(did.child);
    children.forEach(trees.endWithUs);
    assert.equal(process.listenerCount("exit"), nListeners + 1);
    trees.forget(children[1]);
    exit();
    assert.deepEqual(
      did.killed.map(([pid]) => pid),
      [sign * 1_001, sign * 1_003],
    );
    children.forEach(trees.forget);
    assert.equal(process.listenerCount("exit"), nListeners);
  });
}

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
