// One process: what it writes, how it is read, and how it ends.

import assert from "node:assert/strict";
import { test } from "node:test";

import child from "../dist/child.js";
import clock from "../dist/clock.js";
import framing from "../dist/framing.js";
import payloads from "../dist/payload.js";
import { FakeClock } from "./fakes.mjs";
import { survivors } from "./load.mjs";

/** Run this code as a child; what it told, once it has ended. */
function run(code, act = () => undefined) {
  return new Promise((resolve) => {
    const told = { messages: [], lines: [] };
    const it = new child.Child(
      { command: process.execPath, args: ["-e", code] },
      clock.SYSTEM_CLOCK,
      {
        onMessage: (message) => {
          told.messages.push(message);
          act(it, message);
        },
        onLog: (line) => told.lines.push(line),
        onWritable: () => undefined,
        onEnd: (end) => resolve({ ...told, end }),
      },
    );
  });
}

const bytes = (message) => JSON.stringify([...framing.encodeFrame(payloads.pack(message))]);
const NOTICE = { jsonrpc: "2.0", method: "news", params: { n: 1 } };

test("what it says before its end is read to the last byte", async () => {
  const { messages, end } = await run(
    `const notice = Buffer.from(${bytes(NOTICE)});
     require("node:fs").writeSync(1, Buffer.concat(Array(2_000).fill(notice)));
     process.exit(3);`,
  );
  assert.equal(messages.length, 2_000);
  assert.deepEqual([end.code, end.signal, end.fault, end.spawnError], [3, null, null, null]);
});

test("lines of its log come whole, however they were written", async () => {
  const { lines, end } = await run(
    `process.stderr.write("one\\ntw"); setTimeout(() => process.stderr.write("o \u00e9\\r\\n\\nthree"), 50);`,
  );
  assert.deepEqual(lines, ["one", "two \u00e9", "three"]);
  assert.deepEqual(end.lastLines, lines);
});

test("a line without an end is cut", async () => {
  const { lines } = await run(
    `process.stderr.write("x".repeat(20_000)); setTimeout(() => undefined, 50);`,
  );
  assert.ok(lines.length >= 1 && lines.every((line) => line.length <= 8_192));
});

test("its log is drained, however much it is", async () => {
  const { lines, end } = await run(
    `const line = "x".repeat(99) + "\\n";
     require("node:fs").writeSync(2, line.repeat(50_000));
     process.exit(3);`,
  );
  assert.deepEqual([lines.length, end.code, end.lastLines.length], [50_000, 3, 6]);
});

test("a child whose reader fails is killed, and nothing more of it is read", async () => {
  const { messages, end } = await run(
    `process.stdout.write(Buffer.from([...${bytes(NOTICE)}, ...${bytes(NOTICE)}])); setTimeout(() => undefined, 60_000);`,
    () => {
      throw new TypeError("it lacks what it must have");
    },
  );
  assert.equal(messages.length, 1);
  assert.equal(end.signal, "SIGKILL");
  assert.match(end.fault, /not of this protocol: it lacks/);
});

test("nothing more is read of a child that is being killed", async () => {
  const { messages, end } = await run(
    `process.stdout.write(Buffer.from([...${bytes(NOTICE)}, ...${bytes(NOTICE)}])); setTimeout(() => undefined, 60_000);`,
    (it) => it.kill("enough"),
  );
  assert.equal(messages.length, 1);
  assert.deepEqual([end.signal, end.fault], ["SIGKILL", "enough"]);
});

test("one that ignores its input's end is killed after its grace", async () => {
  const startedAt = performance.now();
  const { end } = await run(
    `process.stdout.write(Buffer.from(${bytes(NOTICE)})); setTimeout(() => undefined, 60_000);`,
    (it) => it.end(),
  );
  assert.equal(end.signal, "SIGKILL");
  assert.ok(performance.now() - startedAt >= child.GRACE_MS);
});

test("one that cannot be killed is given up after a while", async (t) => {
  const fake = new FakeClock();
  let it;
  const end = new Promise((resolve) => {
    it = new child.Child(
      { command: process.execPath, args: ["-e", "setTimeout(() => undefined, 60_000)"] },
      fake,
      { onMessage: () => undefined, onLog: () => undefined, onEnd: resolve },
    );
  });
  const kill = t.mock.method(process, "kill", () => true);
  it.kill("it hangs in a driver");
  await fake.pass(5_000);
  assert.deepEqual(await end, {
    pid: it.pid,
    code: null,
    signal: null,
    fault: "it hangs in a driver",
    spawnError: null,
    lastLines: [],
  });
  assert.equal(fake.nTimers, 0);
  kill.mock.restore();
  process.kill(it.pid, "SIGKILL");
});

test("a program that is not there is an end, too", async () => {
  const listener = (resolve) => ({ onLog: () => undefined, onEnd: resolve });
  const { spawnError, pid, code } = await new Promise((resolve) => {
    new child.Child(
      { command: "no-such-program", args: [] },
      clock.SYSTEM_CLOCK,
      listener(resolve),
    );
  });
  assert.deepEqual([spawnError.code, pid, code], ["ENOENT", null, null]);
});

const groupless = process.platform === "win32" && "a group of processes is POSIX's own";

test("what it started is killed with it", { skip: groupless }, async () => {
  const code = `
    const { spawn } = require("node:child_process");
    const it = spawn(process.execPath, ["-e", "setTimeout(() => undefined, 60_000)"]);
    it.on("spawn", () => {
      console.error(it.pid);
      process.stdout.write(Buffer.from(${bytes(NOTICE)}));
    });`;
  const { lines, end } = await run(code, (it) => it.kill("enough"));
  assert.deepEqual([lines.length, end.signal], [1, "SIGKILL"]);
  assert.deepEqual(await survivors(lines.map(Number)), []);
});

test("a grandchild that holds its output open does not hold us", { skip: groupless }, async () => {
  const code = `
    const { spawn } = require("node:child_process");
    const it = spawn(process.execPath, ["-e", "setTimeout(() => undefined, 60_000)"], { stdio: "inherit" });
    console.error(it.pid);
    setTimeout(() => process.exit(5), 100);`;
  const { lines, end } = await run(code);
  assert.equal(end.code, 5);
  assert.deepEqual(await survivors(lines.slice(0, 1).map(Number)), []);
});
