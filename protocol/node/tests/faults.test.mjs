// What a child says of why it fails becomes the app's error: at once, where it will not pass.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import {
  ChildGone,
  DeviceError,
  InternalError,
  InvalidParams,
  ModelUnavailable,
  SpeakerSidecar,
} from "speaker-sidecar";

import { nextChild, serving, settle, supervise } from "./fakes.mjs";
import { eventually, LIGHT_SKIP, PYTHON, ROOT } from "./sidecars.mjs";

const CHILD = fileURLToPath(new URL("stand_in_child.mjs", import.meta.url));
const UNKNOWN_MODEL = { code: -32011, kind: "unknown_model", retryable: false };
const NO_CUDA = { code: -32020, kind: "device_unavailable", retryable: false };
const NO_NETWORK = { code: -32011, kind: "download_failed", retryable: true };

for (const [error, type] of [
  [UNKNOWN_MODEL, ModelUnavailable],
  [{ ...UNKNOWN_MODEL, kind: "damaged" }, ModelUnavailable],
  [NO_CUDA, DeviceError],
]) {
  test(`${error.kind}: final at the child's word, before it ends`, async () => {
    const world = supervise();
    const waiting = world.embed();
    world.newest().hello();
    await world.started;
    world.newest().health("failed", "what is wrong, and what to do", error);
    await settle();
    assert.ok(waiting.error instanceof type, String(waiting.error));
    assert.deepEqual(
      [waiting.error.kind, waiting.error.message],
      [error.kind, "what is wrong, and what to do"],
    );
    assert.throws(() => world.embed(), type);
    assert.equal(world.it.state, "failed");
    world.newest().die({ code: 69 });
    await world.clock.pass(60_000);
    assert.equal(world.children.length, 1);
    const [exit] = world.told.exits;
    assert.deepEqual([exit.kind, exit.willRestart], [error.kind, false]);
  });
}

test("a start that fails so has the class, too", async () => {
  const world = supervise();
  world.newest().health("failed", "no such model", UNKNOWN_MODEL);
  await assert.rejects(world.started, (error) => error instanceof ModelUnavailable);
});

test("what may pass is tried again, and has its class at last", async () => {
  const world = supervise();
  const waiting = world.embed();
  for (let n = 0; n < 3; n++) {
    assert.equal(waiting.outcome, "pending");
    world.newest().hello();
    world.newest().health("failed", "the network is down", NO_NETWORK);
    world.newest().die({ code: 69 });
    await world.clock.pass(20_000);
  }
  assert.ok(waiting.error instanceof ModelUnavailable);
  assert.deepEqual([waiting.error.kind, waiting.error.retryable], ["download_failed", true]);
  assert.match(waiting.error.message, /three times.*the network is down/);
  assert.equal(world.children.length, 3);
});

test("a fault of the child's own may pass: a library that is locked is one", async () => {
  const world = supervise();
  const internal = { code: -32603, kind: "internal", retryable: false };
  for (let n = 0; n < 3; n++) {
    world.newest().health("failed", "ImportError", internal);
    world.newest().die({ code: 70 });
    await world.clock.pass(20_000);
  }
  await assert.rejects(world.started, (error) => error instanceof InternalError);
});

test("a child that has served is replaced, whatever it says", async () => {
  const world = serving();
  world.newest().health("failed", "the weights were deleted", UNKNOWN_MODEL);
  world.newest().die({ code: 69 });
  await nextChild(world);
  assert.equal(world.it.state, "ready");
});

test("a device that fails again and again: ChildGone, with the device's fault as its cause", async () => {
  const world = serving();
  const fault = { code: -32020, kind: "device_error", retryable: true };
  const call = world.embed();
  for (let n = 0; n < 3; n++) {
    world.newest().health("failed", "the GPU fell off the bus", fault);
    world.newest().die({ code: 70 });
    await world.clock.pass(20_000);
    if (n < 2) world.newest().serve();
  }
  assert.ok(call.error instanceof ChildGone);
  assert.deepEqual([call.error.kind, call.error.cause.kind], ["device_error", "device_error"]);
  assert.ok(call.error.cause instanceof DeviceError);
});

for (const [code, kind] of [
  [64, "usage"],
  [69, "unavailable"],
  [70, "fault"],
  [74, "output_lost"],
  [76, "protocol_broken"],
  [3, "child_gone"],
]) {
  test(`exit code ${code} of a child that said nothing: ${kind}`, async () => {
    const world = supervise();
    for (let n = 0; n < 3 && world.it.state !== "failed"; n++) {
      world.newest().die({ code });
      await world.clock.pass(20_000);
    }
    await assert.rejects(world.started, { name: "ChildGone", kind });
    assert.ok(world.told.exits.every((exit) => exit.kind === kind));
  });
}

test("a real child: the error within a second of its word, though it lingers", async () => {
  const words = ["fail", "-32011", "unknown_model", "no", "69", "3000"];
  let toldAt;
  const onStateChange = (state) => {
    if (state === "failed") toldAt = performance.now();
  };
  const sidecar = await SpeakerSidecar.start({
    command: process.execPath,
    args: [CHILD, ...words],
    onStateChange,
  });
  const exit = eventually(sidecar, "exit");
  await assert.rejects(sidecar.embed({ samples: new Float32Array(9), sampleRateHz: 16_000 }), {
    name: "ModelUnavailable",
    kind: "unknown_model",
  });
  assert.ok(performance.now() - toldAt < 1_000);
  await sidecar.close();
  assert.equal((await exit).willRestart, false);
});

test("the real child and an unknown model", { skip: LIGHT_SKIP }, async () => {
  const words = ["-m", "sidecar", "--model", "no-such-model", "--offline"];
  let failedAt;
  const sidecar = await SpeakerSidecar.start({ command: PYTHON, args: words, cwd: ROOT });
  sidecar.on("health", ({ state }) => {
    if (state === "failed") failedAt = performance.now();
  });
  await assert.rejects(sidecar.embed({ samples: new Float32Array(9), sampleRateHz: 16_000 }), {
    name: "ModelUnavailable",
    kind: "unknown_model",
    retryable: false,
  });
  assert.ok(performance.now() - failedAt < 1_000);
  await sidecar.close();
});

test("a folder that is not there is named, not the program", async () => {
  const folder = join(ROOT, "no-such-folder");
  const start = SpeakerSidecar.start({ command: process.execPath, args: [], cwd: folder });
  await assert.rejects(start, (error) => {
    assert.deepEqual([error.name, error.kind], ["ChildGone", "not_started"]);
    assert.equal(error.cause.code, "ENOENT");
    return error.message.includes(`in the folder ${folder} (cwd), which is not there`);
  });
  const none = SpeakerSidecar.start({ command: "/no/such/program", args: [] });
  await assert.rejects(none, { kind: "not_started", message: /ENOENT/ });
});

for (const [what, options, message] of [
  ["no command", { args: [] }, /command must be a text/],
  ["args as a text", { command: "a", args: "--gpu" }, /args must be an array of texts/],
  ["a number in args", { command: "a", args: [1] }, /args must be an array of texts/],
  [
    "a time that is no number",
    { command: "a", args: [], loadTimeoutMs: NaN },
    /loadTimeoutMs must/,
  ],
  [
    "a delay that is none",
    { command: "a", args: [], restartDelaysMs: [-1] },
    /restartDelaysMs\[0\]/,
  ],
  [
    "a callback that is none",
    { command: "a", args: [], onExit: "stop" },
    /onExit must be a function/,
  ],
]) {
  test(`a start with ${what} is refused`, async () => {
    await assert.rejects(SpeakerSidecar.start(options), (error) => {
      assert.ok(error instanceof InvalidParams);
      return message.test(error.message);
    });
  });
}
