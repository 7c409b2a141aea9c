// The main process under plain Node: the example's own code, with Electron faked at its edge.

import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import Module, { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { CommandNotFound, closeBeforeQuit } from "../../../protocol/node/dist/esm/index.js";
import { LIGHT, LIGHT_SKIP, start, tone } from "../../../protocol/node/tests/sidecars.mjs";

const EXAMPLE = fileURLToPath(new URL("../", import.meta.url));
const require = createRequire(import.meta.url);

/** What of Electron the example uses, and what it did with it. */
function fakeElectron() {
  const did = { handlers: {}, sent: [], boxes: [], exits: [], nQuits: 0 };
  const app = Object.assign(new EventEmitter(), {
    isPackaged: false,
    whenReady: async () => undefined,
    quit: () => (did.nQuits += 1),
    exit: (code) => did.exits.push(code),
  });
  class BrowserWindow {
    constructor(options) {
      did.window = { options };
      this.webContents = Object.assign(new EventEmitter(), {
        mainFrame: {},
        send: (event, value) => did.sent.push([event, value]),
        setWindowOpenHandler: (handler) => (did.windowOpen = handler),
      });
      did.webContents = this.webContents;
    }
    isDestroyed() {
      return false;
    }
    async loadFile(path) {
      did.window.file = path;
    }
  }
  const session = {
    defaultSession: {
      setPermissionRequestHandler: (handler) => (did.permission = handler),
    },
  };
  const ipcMain = { handle: (name, handler) => (did.handlers[name] = handler) };
  const dialog = { showErrorBox: (...texts) => did.boxes.push(texts) };
  return { did, electron: { app, BrowserWindow, ipcMain, session, dialog } };
}

/** Run main.js with these modules in place of the installed ones. */
async function runMain(modules) {
  const load = Module._load;
  Module._load = (request, ...rest) => modules[request] ?? load(request, ...rest);
  try {
    delete require.cache[join(EXAMPLE, "main.js")];
    require(join(EXAMPLE, "main.js"));
  } finally {
    Module._load = load;
  }
}

async function until(holds) {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

test(
  "the window has no Node, and the page gets what it asks for",
  { skip: LIGHT_SKIP ?? false },
  async (t) => {
    const { did, electron } = fakeElectron();
    let sidecar;
    const speakerSidecar = {
      closeBeforeQuit,
      findCommand: () => ({ command: "found", args: ["first"] }),
      SpeakerSidecar: {
        start: async ({ command, args }) => {
          assert.deepEqual([command, ...args], ["found", "first", "--model", "campplus-zh-en"]);
          return (sidecar = await start(t, LIGHT));
        },
      },
    };
    await runMain({ electron, "speaker-sidecar": speakerSidecar });
    await until(() => did.window?.file !== undefined);

    const { preload, ...preferences } = did.window.options.webPreferences;
    assert.deepEqual(preferences, {
      contextIsolation: true,
      sandbox: true,
      nodeIntegration: false,
    });
    assert.equal(preload, join(EXAMPLE, "preload.js"));
    assert.equal(did.window.file, join(EXAMPLE, "page", "index.html"));
    assert.deepEqual(did.windowOpen(), { action: "deny" });
    const allows = (permission, details) => {
      let answer;
      did.permission(null, permission, (value) => (answer = value), details);
      return answer;
    };
    assert.equal(allows("media", { mediaTypes: ["audio"] }), true);
    assert.equal(allows("media", { mediaTypes: ["audio", "video"] }), false);
    assert.equal(allows("geolocation", {}), false);

    const page = { senderFrame: did.webContents.mainFrame };
    const ask = (name, ...values) => did.handlers[name](page, ...values);
    const { samples } = tone(32_000);
    assert.deepEqual(await ask("compare", samples, 16_000), {
      error: { kind: "error", message: "Enrol a voice first." },
    });
    assert.deepEqual(await ask("enrol", samples, 16_000), {
      value: { nUtterances: 1 },
    });
    assert.deepEqual(await ask("enrol", samples, 16_000), {
      value: { nUtterances: 2 },
    });
    const { value } = await ask("compare", samples, 16_000);
    assert.ok(value.cosine > 0.9999);
    assert.equal((await ask("enrol", samples.subarray(0, 10), 16_000)).error.kind, "too_short");
    assert.match((await ask("enrol", [1, 2], 16_000)).error.message, /Float32Array/);
    assert.deepEqual(await ask("forget"), { value: { nUtterances: 0 } });
    assert.equal((await ask("health")).value.state, "ready");
    assert.equal(
      await did.handlers.health({ senderFrame: {} }),
      undefined,
      "another frame asks in vain",
    );
    assert.ok(did.sent.some(([event, { state }]) => event === "health" && state === "ready"));

    let prevented = false;
    electron.app.emit("will-quit", {
      defaultPrevented: false,
      preventDefault: () => (prevented = true),
    });
    assert.ok(prevented);
    await until(() => did.nQuits === 1);
    assert.equal(sidecar.pid, null);
  },
);

test("a sidecar that is not there is told, and the app ends", async () => {
  const { did, electron } = fakeElectron();
  const findCommand = () => {
    throw new CommandNotFound("it is not there");
  };
  await runMain({ electron, "speaker-sidecar": { findCommand } });
  await until(() => did.exits.length > 0);
  assert.deepEqual(did.boxes, [["The speaker sidecar cannot be started", "it is not there"]]);
  assert.deepEqual(did.exits, [1]);
});

test("preload gives the page these functions, and errors as errors", async () => {
  const invoked = [];
  let given;
  const listeners = {};
  const electron = {
    contextBridge: {
      exposeInMainWorld: (name, api) => (given = { name, api }),
    },
    ipcRenderer: {
      invoke: async (...values) => {
        invoked.push(values);
        return values[0] === "forget" ? { error: { kind: "k", message: "no" } } : { value: 42 };
      },
      on: (event, listener) => (listeners[event] = listener),
    },
  };
  const load = Module._load;
  Module._load = (request, ...rest) => (request === "electron" ? electron : load(request, ...rest));
  try {
    require(join(EXAMPLE, "preload.js"));
  } finally {
    Module._load = load;
  }
  assert.equal(given.name, "speaker");
  assert.equal(await given.api.enrol("samples", 16_000), 42);
  assert.deepEqual(invoked, [["enrol", "samples", 16_000]]);
  await assert.rejects(given.api.forget(), { message: "no" });
  const heard = [];
  given.api.onHealth((health) => heard.push(health));
  listeners.health({ sender: "not for the page" }, { state: "ready" });
  assert.deepEqual(heard, [{ state: "ready" }]);
});
