// The child's process and its host's: forgotten, killed, aborted, disposed of.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";

import { Cancelled, SpeakerSidecar } from "speaker-sidecar";

import { survivors } from "./load.mjs";
import { LIGHT_SKIP, PYTHON, ROOT } from "./sidecars.mjs";

const file = (name) => fileURLToPath(new URL(name, import.meta.url));
const LIGHT_SIDECAR = join(ROOT, "tests", "light_sidecar.py");
const STAND_IN = { command: process.execPath, args: [file("stand_in_child.mjs"), "serve"] };
const SUSPEND = `
import ctypes, sys
access = 0x0800
process = ctypes.windll.kernel32.OpenProcess(access, False, int(sys.argv[1]))
raise SystemExit(ctypes.windll.ntdll.NtSuspendProcess(process))
`;

/** Start this script; its process, and the first line that it tells. */
async function main(script, args, env = process.env) {
  const options = { stdio: ["ignore", "pipe", "inherit"], env };
  const process_ = spawn(process.execPath, [file(script), ...args], options);
  const line = await new Promise((resolve, reject) => {
    process_.stdout.once("data", (data) => resolve(String(data).trim().split(" ").map(Number)));
    process_.once("exit", () => reject(new Error(`${script} ended`)));
  });
  return { process: process_, line };
}

const ended = (process_) => new Promise((resolve) => process_.on("exit", resolve));

const whyNotStopped =
  LIGHT_SKIP ?? (process.platform === "darwin" && "macOS has nothing that ends a stopped child");

test("a child that is stopped dies with its host", { skip: whyNotStopped }, async () => {
  const { process: host, line } = await main("orphaning_main.mjs", [PYTHON, LIGHT_SIDECAR]);
  const [pid] = line;
  if (process.platform === "win32") {
    assert.equal(spawnSync(PYTHON, ["-c", SUSPEND, String(pid)]).status, 0);
  } else {
    process.kill(pid, "SIGSTOP");
  }
  assert.deepEqual(await survivors([pid], 300), [pid], "it is stopped, and there");
  const gone = ended(host);
  host.kill("SIGKILL");
  await gone;
  assert.deepEqual(await survivors([pid], 2_000), []);
});

for (const thread of ["main", "worker"]) {
  test(
    `a host that is killed while it listens leaves nothing behind: started by a ${thread} thread`,
    { skip: LIGHT_SKIP },
    async (t) => {
      const folder = mkdtempSync(join(tmpdir(), "sidecar-killed-"));
      t.after(() => rmSync(folder, { recursive: true, maxRetries: 5, retryDelay: 200 }));
      const env = { ...process.env, TMPDIR: folder, TEMP: folder, TMP: folder };
      const command = [PYTHON, LIGHT_SIDECAR];
      const { process: host, line } = await main("listening_main.mjs", [thread, ...command], env);
      const gone = ended(host);
      host.kill("SIGKILL");
      await gone;
      const from = performance.now();
      assert.deepEqual(await survivors(line, 4_000), []);
      t.diagnostic(`the child is gone ${(performance.now() - from).toFixed(0)} ms after its host`);
      assert.deepEqual(readdirSync(folder), []);
    },
  );
}

test("a forgotten sidecar with unref lets the process end, and ends with it", async () => {
  const { process: host, line } = await main("forgotten_main.mjs", [
    STAND_IN.command,
    ...STAND_IN.args,
  ]);
  const [pid, dim] = line;
  assert.equal(dim, 4, "its call kept the process until it was answered");
  assert.equal(await ended(host), 0);
  assert.deepEqual(await survivors([pid], 2_000), []);
});

const TELLS = `process.stderr.write("parent " + process.env.SPEAKER_SIDECAR_PARENT + "\\n")`;
const ASKS = `
const { parentPort } = require("node:worker_threads");
const { SpeakerSidecar } = require(${JSON.stringify(file("../dist/index.js"))});
const child = { command: process.execPath, args: ["-e", ${JSON.stringify(TELLS)}, "--"] };
SpeakerSidecar.start({ ...child, restartDelaysMs: [], onExit: () => "stop" })
  .catch(({ message }) => message)
  .then((message) => parentPort?.postMessage(message) ?? console.log(message));
`;

test("only the main thread binds a child to itself: a worker may end before its process", async () => {
  const worker = new Worker(ASKS, { eval: true });
  const told = await new Promise((resolve) => worker.on("message", resolve));
  assert.match(told, /parent undefined/);
  const { stdout, pid } = spawnSync(process.execPath, ["-e", ASKS], { encoding: "utf8" });
  assert.ok(stdout.includes(`parent ${pid}`), stdout);
});

test("a start that is aborted is rejected at once, and its child ends", async () => {
  const controller = new AbortController();
  const states = [];
  const start = SpeakerSidecar.start({
    command: process.execPath,
    args: ["-e", "setTimeout(() => undefined, 60_000)", "--"],
    signal: controller.signal,
    onStateChange: (state) => states.push(state),
  });
  setTimeout(() => controller.abort(new Error("the user went away")), 100);
  await assert.rejects(start, (error) => {
    assert.ok(error instanceof Cancelled);
    assert.equal(error.cause.message, "the user went away");
    return error.message === "the start was aborted: the user went away";
  });
  assert.deepEqual(states, ["starting", "closing"]);
  const aborted = SpeakerSidecar.start({ ...STAND_IN, signal: AbortSignal.abort() });
  await assert.rejects(aborted, { name: "Cancelled" });
});

test("a signal that is aborted later ends nothing", async () => {
  const controller = new AbortController();
  const sidecar = await SpeakerSidecar.start({ ...STAND_IN, signal: controller.signal });
  controller.abort();
  const audio = { samples: new Float32Array(16_000), sampleRateHz: 16_000 };
  assert.equal((await sidecar.embed(audio)).dim, 4);
  await sidecar.close();
});

test("await using closes it", async () => {
  const sidecar = await SpeakerSidecar.start(STAND_IN);
  const { pid } = sidecar;
  await sidecar[Symbol.asyncDispose]();
  assert.equal(sidecar.state, "closed");
  assert.deepEqual(await survivors([pid], 2_000), []);
});

test("one that was closed starts again", async () => {
  const sidecar = await SpeakerSidecar.start(STAND_IN);
  const first = sidecar.pid;
  await sidecar.close();
  await assert.rejects(sidecar.health(), { name: "Closed" });
  await sidecar.restart();
  assert.notEqual(sidecar.pid, first);
  const audio = { samples: new Float32Array(16_000), sampleRateHz: 16_000 };
  assert.equal((await sidecar.embed(audio)).dim, 4);
  await sidecar.close();
});
