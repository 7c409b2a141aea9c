// The main process under plain Node: the example's own code, with Electron faked at its edge.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";

import { CommandNotFound } from "../../../protocol/node/dist/esm/index.js";
import { LIGHT, LIGHT_SKIP } from "../../../protocol/node/tests/sidecars.mjs";
import { folderFor, packageWith } from "./app.mjs";
import { EXAMPLE, fakeElectron, PRELOAD, runMain, until } from "./electron.mjs";

const skip = LIGHT_SKIP ?? false;

/** Follow the service, as the page does; resolves once it is in the state. */
async function service(did, state) {
  await until(() => did.window?.file !== undefined);
  await did.ask("service.follow");
  const reports = () => did.news.filter(({ event }) => event === "service");
  await until(() => reports().at(-1)?.value.state === state);
  return reports().at(-1).value;
}

test("the window comes first, without Node in it", async (t) => {
  const { did, electron } = fakeElectron(folderFor(t));
  const findCommand = () => {
    assert.ok(did.window.file, "the window is there before the service is looked for");
    throw new CommandNotFound("it is not there");
  };
  runMain(electron, { ...packageWith(LIGHT), findCommand });
  const { error } = await service(did, "failed");

  const { preload, ...preferences } = did.window.options.webPreferences;
  assert.deepEqual(preferences, { contextIsolation: true, sandbox: true, nodeIntegration: false });
  assert.equal(preload, PRELOAD);
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

  // Whoever asks for something is told why there is nothing.
  assert.deepEqual([error.kind, error.message], ["command_not_found", "it is not there"]);
  assert.deepEqual(await did.ask("people.list"), { error });
  await did.quit();
  await until(() => did.nQuits === 1);
  assert.equal(await did.quit(), true);
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
  await service(did, "failed");
  isThere = true;
  await did.ask("service.restart");
  await service(did, "ready");
  assert.deepEqual(await did.ask("people.list"), { value: [] });
  assert.equal(await did.quit(), false, "it quits when the child has ended");
  await until(() => did.nQuits === 1);
  assert.equal(await did.quit(), true);
});

test("a child that cannot load is told, with the reason", { skip }, async (t) => {
  const { did, electron } = fakeElectron(folderFor(t));
  const program = { command: LIGHT.command, args: ["-c", "import sys; sys.exit(3)"] };
  const found = packageWith(program);
  const start = (options) =>
    found.SpeakerSidecar.start({ ...options, restartDelaysMs: [0], helloTimeoutMs: 5_000 });
  runMain(electron, { ...found, SpeakerSidecar: { start } });
  const { error } = await service(did, "failed");
  assert.match(error.message, /3/);
});

test("an app that quits while the service starts leaves no child", { skip }, async (t) => {
  const { did, electron } = fakeElectron(folderFor(t));
  const never = { command: process.execPath, args: ["-e", "setInterval(() => {}, 1000)", "--"] };
  runMain(electron, packageWith(never));
  await service(did, "starting");
  assert.equal(await did.quit(), false);
  await until(() => did.nQuits === 1);
  assert.equal(await did.quit(), true);
});

test("a window that is closed while it loads does not keep the app", { skip }, async (t) => {
  const { did, electron } = fakeElectron(folderFor(t));
  const { BrowserWindow } = electron;
  class Closed extends BrowserWindow {
    async loadFile() {
      throw new Error("ERR_ABORTED (-3) loading the page");
    }
  }
  t.mock.method(console, "error", () => undefined);
  runMain({ ...electron, BrowserWindow: Closed }, packageWith(LIGHT));
  await until(() => did.window !== undefined);
  assert.equal(await did.quit(), false);
  await until(() => did.nQuits === 1);
  assert.equal(await did.quit(), true);
});
