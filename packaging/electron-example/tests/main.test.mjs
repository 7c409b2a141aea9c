// The main process under plain Node: the example's own code, with Electron faked at its edge.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";

import { CommandNotFound } from "../../../protocol/node/dist/esm/index.js";
import { allowMicrophone } from "../../../protocol/node/dist/esm/main.js";
import { LIGHT, LIGHT_SKIP, tone } from "../../../protocol/node/tests/sidecars.mjs";
import { folderFor, packageWith } from "./app.mjs";
import { EXAMPLE, fakeElectron, runMain, until, withModules } from "./electron.mjs";

const require = createRequire(import.meta.url);
const skip = LIGHT_SKIP ?? false;
const isReady = ([event, value]) => event === "service" && value.state === "ready";

test("the window comes first, without Node in it", async (t) => {
  const { did, electron } = fakeElectron(folderFor(t));
  const sidecarThatNeverStarts = {
    allowMicrophone,
    findCommand: () => {
      assert.ok(did.window.file, "the window is there before the service is looked for");
      throw new CommandNotFound("it is not there");
    },
  };
  runMain(electron, sidecarThatNeverStarts);
  await until(() => did.events.some(([, { state }]) => state === "failed"));

  const { preload, ...preferences } = did.window.options.webPreferences;
  assert.deepEqual(preferences, { contextIsolation: true, sandbox: true, nodeIntegration: false });
  assert.equal(preload, join(EXAMPLE, "preload.js"));
  assert.equal(did.window.file, join(EXAMPLE, "page", "index.html"));
  assert.deepEqual(did.windowOpen(), { action: "deny" });
  const allows = (permission, details) => {
    let answer;
    const requestingUrl = "file:///app/page/index.html";
    const decide = (value) => (answer = value);
    did.permission(null, permission, decide, { requestingUrl, ...details });
    return answer;
  };
  assert.equal(allows("media", { mediaTypes: ["audio"] }), true);
  assert.equal(allows("media", { mediaTypes: ["audio", "video"] }), false);
  assert.equal(allows("geolocation", {}), false);

  // Its fault is a sentence, also for whoever asks for something.
  const sentence = "The voice service is not installed.";
  assert.deepEqual(await did.ask("service"), {
    value: { state: "failed", sentence, detail: "it is not there" },
  });
  assert.deepEqual(await did.ask("people"), { error: { kind: "service", message: sentence } });
  const stranger = { senderFrame: {} };
  assert.equal(await did.handlers.people(stranger), undefined, "another frame asks in vain");
});

test("a service that was out of order starts when it is asked to", { skip }, async (t) => {
  const { did, electron } = fakeElectron(folderFor(t));
  const working = packageWith(LIGHT);
  let isThere = false;
  const findCommand = () => {
    if (!isThere) throw new CommandNotFound("it is not there");
    return working.findCommand();
  };
  runMain(electron, { ...working, findCommand });
  await until(() => did.events.some(([, { state }]) => state === "failed"));
  isThere = true;
  await did.ask("retry");
  await until(() => did.events.some(isReady));
  assert.equal(await did.quit(), false, "it quits when the child has ended");
  await until(() => did.nQuits === 1);
  assert.equal(await did.quit(), true);
});

test("a child that cannot load is a sentence, with the reason", { skip }, async (t) => {
  const { did, electron } = fakeElectron(folderFor(t));
  const program = { command: LIGHT.command, args: ["-c", "import sys; sys.exit(3)"] };
  const found = packageWith(program);
  const start = (options) =>
    found.SpeakerSidecar.start({ ...options, restartDelaysMs: [0], helloTimeoutMs: 5_000 });
  runMain(electron, { ...found, SpeakerSidecar: { start } });
  await until(() => did.events.some(([, { state }]) => state === "failed"));
  const { value } = await did.ask("service");
  assert.equal(value.sentence, "The voice service could not be started.");
  assert.match(value.detail, /3/);
});

test("the page gets what it asks for", { skip }, async (t) => {
  const { did, electron } = fakeElectron(folderFor(t));
  let sidecar;
  runMain(
    electron,
    packageWith(LIGHT, (started) => (sidecar = started)),
  );
  await until(() => did.events.some(isReady));
  t.after(async () => {
    await did.quit();
    await until(() => did.nQuits > 0);
    assert.equal(sidecar.pid, null);
  });
  const audio = tone(64_000);
  const enrolled = await did.ask("enroll", { name: "Ada" }, audio);
  assert.equal(enrolled.value?.name, "Ada", enrolled.error?.message);
  const { id } = enrolled.value;
  assert.equal((await did.ask("people")).value.length, 1);
  assert.equal((await did.ask("rename", id, "Ada L.")).value.name, "Ada L.");
  assert.equal((await did.ask("enroll", { id }, audio)).value.created, false);
  assert.equal((await did.ask("forget", id)).value.name, "Ada L.");
  assert.equal((await did.ask("rename", id, "x")).error.kind, "unknown_person");
  assert.equal(typeof (await did.ask("speech", audio)).value, "number");
  for (const odd of [{}, { path: 3 }, { file: [1] }, { samples: [1], sampleRateHz: 16_000 }]) {
    assert.match((await did.ask("speech", odd)).error.message, /an audio is a path/);
  }

  // A stream: what is pushed is heard, and the end of it is told once.
  assert.deepEqual(await did.ask("listen", 16_000), { value: undefined });
  did.push(audio.samples);
  did.push("no samples");
  const { value } = await did.ask("hindsight");
  assert.equal(value.durationS, 4);
  assert.deepEqual(await did.ask("hindsight"), { value: null });
  did.push(audio.samples);
  // One that was begun anew takes the place of the one before.
  await did.ask("listen", 16_000);
  await did.ask("listen", 16_000);
  assert.equal((await did.ask("hindsight")).value.durationS, 0);
  assert.equal(did.events.filter(([event]) => event === "liveFault").length, 0);
});

test("preload gives the page these functions", async () => {
  const invoked = [];
  let given;
  const listeners = {};
  const electron = {
    contextBridge: { exposeInMainWorld: (name, api) => (given = { name, api }) },
    ipcRenderer: {
      invoke: async (...values) => void invoked.push(values),
      send: (...values) => void invoked.push(values),
      on: (event, listener) => (listeners[event] = listener),
    },
    webUtils: { getPathForFile: ({ name }) => `/there/${name}` },
  };
  withModules({ electron }, () => require(join(EXAMPLE, "preload.js")));
  const { name, api } = given;
  assert.equal(name, "bridge");
  await api.rename("id", "Ada");
  api.push("samples");
  assert.deepEqual(invoked, [
    ["rename", "id", "Ada"],
    ["push", "samples"],
  ]);
  assert.equal(api.pathOf({ name: "a.wav" }), "/there/a.wav");
  const heard = [];
  api.on("turn", (turn) => heard.push(turn));
  api.on("anything else", () => undefined);
  listeners.turn({ sender: "not for the page" }, { turn: 1 });
  assert.deepEqual(heard, [{ turn: 1 }]);
  assert.deepEqual(Object.keys(listeners), ["turn"]);
});
