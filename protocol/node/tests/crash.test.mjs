// Nothing is lost when children die, hang, or write rubbish; and nothing is left behind.
//
// The same at full length, by hand: CRASH_CALLS=2000 CRASH_SEEDS=1,2,3,4,5 node --test tests/

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { ChildGone, KillsChild } from "speaker-sidecar";

import {
  clips,
  embedAll,
  inParallel,
  isRunning,
  randomNumbers,
  references,
  survivors,
} from "./load.mjs";
import { eventually, LIGHT, LIGHT_SKIP, REAL, SPEECH_SKIP, start, tone } from "./sidecars.mjs";

const SEEDS = (process.env.CRASH_SEEDS ?? "1").split(",").map(Number);
const REAL_CALLS = Number(process.env.CRASH_CALLS ?? 120);
const FAULT_CALLS = Number(process.env.CRASH_CALLS ?? 300);
const FAULTY_CHILD = fileURLToPath(new URL("faulty_child.mjs", import.meta.url));
const posixOnly = process.platform === "win32" && "it sends POSIX signals";

// The tests need not wait as long as an app's user may.
const quick = { restartDelaysMs: [0, 20, 50, 100], healthIntervalMs: 200, healthTimeoutMs: 1_500 };

/** Every process that `sidecar` started: wrappers, and what said hello. */
function watchPids(sidecar) {
  const pids = new Set([sidecar.pid, sidecar.hello.pid]);
  sidecar.on("health", () => pids.add(sidecar.pid).add(sidecar.hello.pid));
  return pids;
}

async function assertNoOrphans(sidecar, pids) {
  await sidecar.close();
  pids.delete(null);
  assert.deepEqual(await survivors(pids), [], `of ${pids.size} processes`);
  return pids.size;
}

/** The light sidecar behind one with `faults`. */
function faulty(t, environment) {
  const folder = mkdtempSync(join(tmpdir(), "sidecar-faults-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const args = [FAULTY_CHILD, join(folder, "starts"), LIGHT.command, ...LIGHT.args];
  return start(t, { ...LIGHT, ...quick, command: process.execPath, args }, environment);
}

async function survive(t, { options, nCalls, nKills, seed, environment = {} }) {
  const audios = clips();
  const sidecar = await start(
    t,
    { ...options, restartDelaysMs: quick.restartDelaysMs },
    environment,
  );
  const expected = await references(sidecar, audios);
  const pids = watchPids(sidecar);
  const random = randomNumbers(seed);
  const kills = Array.from({ length: nKills }, () => Math.ceil(random() * (nCalls - 40)));
  kills.sort((a, b) => a - b);
  const restarts = [];
  sidecar.on("restart", (restart) => restarts.push(restart));
  await embedAll(sidecar, audios, expected, nCalls, (nAnswers) => {
    if (kills.length === 0 || nAnswers < kills[0]) return;
    kills.shift();
    process.kill(sidecar.pid, "SIGKILL");
  });
  assert.deepEqual(kills, []);
  assert.equal(restarts.length, nKills);
  assert.ok(restarts.every(({ reason }) => reason.includes("SIGKILL")));
  assert.equal(await assertNoOrphans(sidecar, pids), nKills + 1);
}

describe("killed at random", { skip: LIGHT_SKIP ?? posixOnly }, () => {
  for (const seed of SEEDS) {
    test(`the light sidecar, 2000 calls, 5 kills, seed ${seed}`, (t) =>
      survive(t, { options: LIGHT, nCalls: 2_000, nKills: 5, seed }));
  }
});

describe("killed at random, real speech", { skip: SPEECH_SKIP ?? posixOnly }, () => {
  const nKills = REAL_CALLS < 1_000 ? 2 : 5;
  for (const seed of SEEDS) {
    test(`the real sidecar, ${REAL_CALLS} calls, ${nKills} kills, seed ${seed}`, (t) =>
      survive(t, { options: REAL, nCalls: REAL_CALLS, nKills, seed }));
  }
});

describe("a child that fails", { skip: LIGHT_SKIP ?? posixOnly }, () => {
  /** Many calls to a sidecar whose children have `faults`; the reasons of the restarts. */
  async function embedWith(t, faults) {
    const audios = clips();
    const alone = await start(t);
    const expected = await references(alone, audios);
    const sidecar = await faulty(t, { FAULTS: JSON.stringify(faults) });
    const pids = watchPids(sidecar);
    const reasons = [];
    sidecar.on("restart", ({ reason }) => reasons.push(reason));
    await embedAll(sidecar, audios, expected, FAULT_CALLS);
    await assertNoOrphans(sidecar, pids);
    return reasons;
  }

  test("that prints rubbish into the stream is replaced", async (t) => {
    const reasons = await embedWith(t, [{ rubbishAfter: 40 }, { rubbishAfter: 90 }]);
    assert.equal(reasons.length, 2);
    for (const reason of reasons) assert.match(reason, /not of this protocol.*Traceback/);
  });

  test("that answers nothing more is replaced", async (t) => {
    const reasons = await embedWith(t, [{ silentAfter: 40 }]);
    assert.equal(reasons.length, 1);
    assert.match(reasons[0], /health/);
  });

  test("that ends with 69 at its start is replaced", async (t) => {
    const reasons = await embedWith(t, [{ exitCode: 69 }, { exitCode: 69 }]);
    assert.equal(reasons.length, 2);
    for (const reason of reasons) assert.match(reason, /exit code 69/);
  });

  test("that ends with 69 at each start is given up", async (t) => {
    const sidecar = await faulty(t, { FAULTS: JSON.stringify(Array(9).fill({ exitCode: 69 })) });
    await assert.rejects(sidecar.embed(tone()), (error) => {
      assert.ok(error instanceof ChildGone);
      return /three times.*exit code 69/.test(error.message);
    });
  });

  test("that is stopped, as if it hung, is replaced", async (t) => {
    const audios = clips(20);
    const sidecar = await start(t, { ...LIGHT, ...quick });
    const expected = await references(sidecar, audios);
    const pids = watchPids(sidecar);
    const replaced = eventually(sidecar, "restart");
    await embedAll(sidecar, audios, expected, FAULT_CALLS, (nAnswers) => {
      if (nAnswers === 100) process.kill(sidecar.pid, "SIGSTOP");
    });
    assert.match((await replaced).reason, /did not answer health within 1500 ms/);
    assert.equal(await assertNoOrphans(sidecar, pids), 2);
  });

  test("of one request is found out, and all others are answered", async (t) => {
    const poison = tone(12_345);
    const sidecar = await faulty(t, { POISON_PCM_BYTES: String(poison.samples.byteLength) });
    const pids = watchPids(sidecar);
    const exits = [];
    sidecar.on("exit", ({ signal, code }) => exits.push(signal ?? code));
    const where = Math.floor(FAULT_CALLS / 2);
    const outcomes = await inParallel(FAULT_CALLS, 32, (n) =>
      sidecar.embed(n === where ? poison : tone(20_000 + n)).then(
        ({ durationS }) => Math.round(durationS * 16_000),
        (error) => error,
      ),
    );
    const [culprit] = outcomes.splice(where, 1);
    assert.ok(culprit instanceof KillsChild, String(culprit));
    const expected = Array.from({ length: FAULT_CALLS }, (_, n) => 20_000 + n);
    expected.splice(where, 1);
    assert.deepEqual(outcomes, expected);
    assert.deepEqual(exits, ["SIGSEGV", "SIGSEGV", "SIGSEGV", "SIGSEGV"]);
    assert.equal((await sidecar.embed(tone())).durationS, 1);
    await assertNoOrphans(sidecar, pids);
  });

  test("by its device twice serves on the CPU", async (t) => {
    // The light sidecar's device fails at each embedding, whatever --device says: so it is given up,
    // but the third child was asked to serve on the CPU.
    const sidecar = await start(t, { ...LIGHT, ...quick }, { FAULT: "device:1" });
    const restarts = [];
    const states = [];
    sidecar.on("restart", ({ device }) => restarts.push(device));
    sidecar.on("health", ({ state }) => states.push(state));
    await assert.rejects(sidecar.embed(tone()), /three times.*exit code 70.*the device failed, as/);
    assert.deepEqual(restarts, [null, "cpu"]);
    assert.equal(states.filter((state) => state === "failed").length, 3);
  });

  test("by a bug of its own at every embedding is given up", async (t) => {
    const sidecar = await start(t, { ...LIGHT, ...quick }, { FAULT: "crash:1" });
    const restarts = [];
    sidecar.on("restart", ({ device }) => restarts.push(device));
    await assert.rejects(sidecar.embed(tone()), (error) => {
      assert.ok(error instanceof ChildGone);
      return /three times.*exit code 70.*a bug, as the test asked/.test(error.message);
    });
    assert.deepEqual(restarts, [null, null]);
  });
});

describe("the main process", { skip: LIGHT_SKIP }, () => {
  const script = fileURLToPath(new URL("dying_main.mjs", import.meta.url));

  for (const [how, end] of [
    ["killed", "SIGKILL"],
    ["ended by SIGTERM", "SIGTERM"],
    ["that throws", "throw"],
    ["that exits", "exit"],
  ]) {
    test(`${how} with 32 requests in flight takes the child with it within 2 s`, async () => {
      const main = spawn(process.execPath, [script, end], { stdio: ["ignore", "pipe", "ignore"] });
      const pids = await new Promise((resolve) => {
        main.stdout.on("data", (data) => resolve(String(data).trim().split(" ").map(Number)));
      });
      assert.ok(pids.length >= 2 && pids.every((pid) => pid > 0));
      if (end.startsWith("SIG")) {
        assert.ok(pids.every(isRunning));
        main.kill(end);
      }
      await new Promise((resolve) => main.on("exit", resolve));
      assert.deepEqual(await survivors(pids, 2_000), []);
    });
  }
});
