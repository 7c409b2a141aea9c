// What holds for every call: waiting, aborting, deadlines, bounds.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { getEventListeners } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import {
  Cancelled,
  ChildGone,
  Closed,
  DeadlineExceeded,
  Overloaded,
  SpeakerSidecar,
} from "speaker-sidecar";

import framing from "../dist/framing.js";
import payloads from "../dist/payload.js";

import { eventually, LIGHT, LIGHT_SKIP, PYTHON, ready, ROOT, start, tone } from "./sidecars.mjs";

/** A file that the light sidecar waits for; `open()` makes it. */
function gate(t) {
  const folder = mkdtempSync(join(tmpdir(), "sidecar-gate-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "gate");
  return { path, open: () => writeFileSync(path, "") };
}

const says = (text) => (line) => line.text.includes(text);

describe("calls", { skip: LIGHT_SKIP ?? false }, () => {
  test("wait while the child loads, and what needs no model does not", async (t) => {
    const { path, open } = gate(t);
    const it = await start(t, LIGHT, { LIGHT_LOAD_GATE: path });
    const progress = eventually(it, "progress", ({ phase }) => phase === "load");
    const early = [it.embed(tone()), it.embed(tone(8_000))];
    assert.deepEqual((await progress).unit, "models");
    assert.equal((await it.health()).state, "loading");
    assert.equal((await it.metrics()).queued, 0);
    const kept = { embedding: new Float32Array([1, 0]), fingerprint: "f" };
    assert.equal((await it.score(kept, kept)).cosine, 1);
    assert.equal(it.nPending, 2);
    open();
    assert.deepEqual(
      (await Promise.all(early)).map(({ durationS }) => durationS),
      [1, 0.5],
    );
  });

  test("an aborted call is rejected, whether it waits or runs", async (t) => {
    const { path, open } = gate(t);
    const it = await start(t, LIGHT, { LIGHT_EMBED_GATE: path });
    const aborted = new AbortController();
    aborted.abort();
    await assert.rejects(it.embed(tone(), { signal: aborted.signal }), Cancelled);
    const embedding = eventually(it, "log", says("embedding"));
    const controllers = Array.from({ length: 3 }, () => new AbortController());
    const calls = controllers.map(({ signal }) => it.embed(tone(), { signal }));
    const last = it.embed(tone());
    await embedding;
    // The first one runs, the second one waits in the child.
    const why = new Error("the window was closed");
    controllers[0].abort(why);
    controllers[1].abort(why);
    for (const call of calls.slice(0, 2)) {
      await assert.rejects(call, (error) => {
        assert.ok(error instanceof Cancelled);
        assert.deepEqual([error.code, error.kind, error.cause], [-32800, "cancelled", why]);
        return error.message.includes("the window was closed");
      });
    }
    open();
    await Promise.all([calls[2], last]);
    const { outcomes } = await it.metrics();
    assert.deepEqual([outcomes.ok >= 3, outcomes.cancelled], [true, 1]);
    assert.equal(it.nPending, 0);
  });

  test("one signal may end many calls", async (t) => {
    const { path } = gate(t);
    const it = await start(t, LIGHT, { LIGHT_LOAD_GATE: path });
    const warnings = [];
    const warn = (warning) => warnings.push(warning.message);
    process.on("warning", warn);
    const controller = new AbortController();
    const { signal } = controller;
    const calls = Array.from({ length: 50 }, () =>
      assert.rejects(it.embed(tone(), { signal }), Cancelled),
    );
    controller.abort();
    await Promise.all(calls);
    process.off("warning", warn);
    assert.deepEqual([warnings, it.nPending], [[], 0]);
    assert.equal(getEventListeners(signal, "abort").length, 0);
  });

  test("what is no signal is refused, and nothing is sent", async (t) => {
    const it = await start(t);
    const refused = it.embed(tone(), { signal: new AbortController() });
    await assert.rejects(refused, { name: "InvalidParams", message: /AbortSignal/ });
    assert.equal(it.nPending, 0);
  });

  test("an abort while the child loads sends nothing", async (t) => {
    const { path, open } = gate(t);
    const it = await start(t, LIGHT, { LIGHT_LOAD_GATE: path });
    const controller = new AbortController();
    const call = it.embed(tone(), { signal: controller.signal });
    controller.abort();
    await assert.rejects(call, Cancelled);
    assert.equal(it.nPending, 0);
    open();
    await it.embed(tone());
    assert.equal((await it.metrics()).outcomes.cancelled, undefined);
  });

  test("a deadline counts from the call", async (t) => {
    const { path } = gate(t);
    const it = await start(t, LIGHT, { LIGHT_LOAD_GATE: path });
    await assert.rejects(it.embed(tone(), { deadlineMs: 20 }), (error) => {
      assert.ok(error instanceof DeadlineExceeded);
      return error.code === -32004;
    });
    const signal = AbortSignal.timeout(20);
    await assert.rejects(it.embed(tone(), { signal }), Cancelled);
    assert.equal(it.nPending, 0);
  });

  test("what waits is bounded", async (t) => {
    const { path } = gate(t);
    const it = await start(t, { ...LIGHT, maxPending: 3 }, { LIGHT_LOAD_GATE: path });
    const calls = [1, 2, 3].map(() => it.embed(tone()));
    await assert.rejects(it.embed(tone()), (error) => {
      assert.ok(error instanceof Overloaded);
      assert.deepEqual([error.code, error.retryable, error.details.maxPending], [-32001, true, 3]);
      return true;
    });
    const rejections = calls.map((call) => assert.rejects(call, Closed));
    await it.close();
    await Promise.all(rejections);
  });

  test("more than the child takes at once waits here", async (t) => {
    const it = await start(t);
    await ready(it);
    const calls = Array.from({ length: 600 }, (_, n) => it.embed(tone(1_600 + n)));
    const results = await Promise.all(calls);
    assert.deepEqual(
      results.map(({ durationS }) => Math.round(durationS * 16_000)),
      results.map((_, n) => 1_600 + n),
    );
    assert.equal((await it.metrics()).outcomes.overloaded, undefined);
  });

  test("standard error is drained and told line by line", async (t) => {
    const it = await start(t, LIGHT, { LIGHT_NOISE: "print" });
    // Its own way: it may come after the answer.
    const stray = eventually(it, "log", ({ text }) => text.endsWith(" native: a stray print"));
    await it.embed(tone());
    assert.equal((await stray).source, "child");
  });

  test("a listener that throws stops nothing", () => {
    const code = `
      import { LIGHT, start, tone } from "./sidecars.mjs";
      process.once("uncaughtException", ({ message }) => console.log(message));
      const it = await start({ after: () => undefined });
      it.once("health", () => { throw new Error("a bug in the app"); });
      console.log((await it.embed(tone())).durationS);
      await it.close();`;
    const { stdout } = spawnSync(process.execPath, ["--input-type=module", "--eval", code], {
      cwd: fileURLToPath(new URL(".", import.meta.url)),
      encoding: "utf8",
    });
    assert.deepEqual(stdout.trim().split("\n"), ["a bug in the app", "1"]);
  });

  test("a child that hangs while it loads is replaced", async (t) => {
    const { path, open } = gate(t);
    const options = { ...LIGHT, loadTimeoutMs: 3_000, restartDelaysMs: [0] };
    const it = await start(t, options, { LIGHT_LOAD_GATE: path });
    const call = it.embed(tone());
    const { reason } = await eventually(it, "restart");
    assert.equal(reason, "it said nothing of its loading within 3000 ms");
    open();
    assert.equal((await call).durationS, 1);
  });

  test("quitting does not wait for a long drain", async (t) => {
    const { path } = gate(t);
    const it = await start(t, LIGHT, { LIGHT_EMBED_GATE: path });
    const call = assert.rejects(it.embed(tone()), Closed);
    await ready(it);
    const drained = it.close({ drainMs: 600_000 });
    await it.close();
    await Promise.all([drained, call]);
    assert.equal(it.pid, null);
  });

  test("close may be called twice, and while it loads", async (t) => {
    const { path } = gate(t);
    const it = await start(t, LIGHT, { LIGHT_LOAD_GATE: path });
    await Promise.all([it.close(), it.close()]);
    await it.close();
    assert.equal(it.pid, null);
  });
});

test(
  "a start that the system has no room for succeeds once it has",
  { skip: LIGHT_SKIP ?? (process.platform === "win32" && "it takes ulimit") },
  () => {
    const code = `
      import { closeSync, openSync } from "node:fs";
      import { LIGHT, start, tone } from "./sidecars.mjs";
      const fds = [];
      try { for (;;) fds.push(openSync("/dev/null")); } catch (error) { console.log(error.code); }
      setTimeout(() => fds.forEach((fd) => closeSync(fd)), 100);
      const options = { ...LIGHT, restartDelaysMs: [0, 10, 200, 2_000] };
      const it = await start({ after: () => undefined }, options);
      console.log((await it.embed(tone())).durationS);
      await it.close();`;
    const { stdout, stderr } = spawnSync(
      "sh",
      ["-c", 'ulimit -n 100; exec "$0" --input-type=module --eval "$1"', process.execPath, code],
      { cwd: fileURLToPath(new URL(".", import.meta.url)), encoding: "utf8" },
    );
    assert.deepEqual(stdout.trim().split("\n"), ["EMFILE", "1"], stderr);
  },
);

describe("a start that cannot succeed says why", () => {
  const quick = { restartDelaysMs: [0] };

  // Of these faults Node tells the first, and throws the others.
  for (const [what, options] of [
    ["no such program", { command: "no-such-program" }],
    [
      "a program below a file",
      { command: join(fileURLToPath(import.meta.url), "no-such-program") },
    ],
    ["a name that no program can have", { command: "no-such-program\0" }],
  ]) {
    test(what, async () => {
      await assert.rejects(SpeakerSidecar.start({ args: [], ...options }), (error) => {
        assert.ok(error instanceof ChildGone, String(error));
        return error.message.includes("no-such-program") && error.kind === "not_started";
      });
    });
  }

  test("options that it does not know", { skip: LIGHT_SKIP ?? false }, async () => {
    const options = { ...LIGHT, args: [...LIGHT.args, "--no-such-option"] };
    await assert.rejects(SpeakerSidecar.start(options), (error) =>
      error.message.includes("--no-such-option"),
    );
  });

  test("a program that ends", { skip: LIGHT_SKIP ?? false }, async () => {
    const args = ["-c", "raise SystemExit('the disk is on fire')"];
    await assert.rejects(SpeakerSidecar.start({ command: PYTHON, args, ...quick }), (error) => {
      assert.ok(error.message.includes("three times, with no answer between"), error.message);
      return error.message.includes("the disk is on fire");
    });
  });

  test("a program that speaks something else", { skip: LIGHT_SKIP ?? false }, async () => {
    const args = ["-c", "print('Hello, world!', flush=True); input()"];
    await assert.rejects(SpeakerSidecar.start({ command: PYTHON, args, ...quick }), (error) =>
      error.message.includes("Hello, world!"),
    );
  });

  test("another protocol: both numbers", { skip: LIGHT_SKIP ?? false }, async () => {
    const code = `import sys; sys.stdout.buffer.write(open(sys.argv[1], "rb").read()); sys.stdout.flush(); input()`;
    const vector = join(ROOT, "protocol", "vectors", "child_hello_other_protocol.bin");
    const args = ["-c", code, vector];
    await assert.rejects(SpeakerSidecar.start({ command: PYTHON, args, ...quick }), (error) => {
      assert.equal(error.name, "ProtocolMismatch");
      return /protocol 2\b.*speaks 1\b/.test(error.message);
    });
  });

  test("a program that says nothing", { skip: LIGHT_SKIP ?? false }, async () => {
    const options = { command: PYTHON, args: ["-c", "input()"], ...quick, helloTimeoutMs: 50 };
    await assert.rejects(SpeakerSidecar.start(options), /hello within 50 ms/);
  });

  test("a program whose hello lacks what it must have", { skip: LIGHT_SKIP ?? false }, async () => {
    const code = `import sys; sys.stdout.buffer.write(bytes.fromhex(sys.argv[1])); sys.stdout.flush(); input()`;
    const hello = { jsonrpc: "2.0", method: "hello", params: { protocol: 1 } };
    const frame = framing.encodeFrame(payloads.pack(hello)).toString("hex");
    const options = { command: PYTHON, args: ["-c", code, frame], ...quick };
    await assert.rejects(SpeakerSidecar.start(options), /not of this protocol/);
  });
});
