// Electron, faked at its edge: the app's own main process runs against this, under plain Node.

import { EventEmitter } from "node:events";
import Module, { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const EXAMPLE = fileURLToPath(new URL("../", import.meta.url));
const require = createRequire(import.meta.url);

/** What of Electron the app uses: {electron, did}, where `did` is what it did with it. */
export function fakeElectron(userData) {
  const did = { handlers: {}, sent: new EventEmitter(), events: [], ipc: new EventEmitter() };
  did.nQuits = 0;
  const app = Object.assign(new EventEmitter(), {
    isPackaged: false,
    whenReady: async () => undefined,
    getPath: () => userData,
    quit: () => (did.nQuits += 1),
  });
  class BrowserWindow extends EventEmitter {
    constructor(options) {
      super();
      did.window = this;
      this.options = options;
      this.webContents = Object.assign(new EventEmitter(), {
        mainFrame: {},
        send(event, value) {
          did.events.push([event, value]);
          did.sent.emit("event", event, value);
        },
        setWindowOpenHandler: (handler) => (did.windowOpen = handler),
      });
    }
    isDestroyed() {
      return false;
    }
    async loadFile(path) {
      this.file = path;
    }
  }
  const session = {
    defaultSession: {
      setPermissionRequestHandler: (handler) => (did.permission = handler),
      setPermissionCheckHandler: () => undefined,
    },
  };
  const ipcMain = {
    handle: (name, handler) => (did.handlers[name] = handler),
    on: (name, listener) => did.ipc.on(name, listener),
  };
  const fromPage = () => ({ senderFrame: did.window.webContents.mainFrame });
  did.ask = (name, ...values) => did.handlers[name](fromPage(), ...values);
  did.push = (samples) => did.ipc.emit("push", fromPage(), samples);
  /** Quit as Electron does. */
  did.quit = async () => {
    let isPrevented;
    for (const name of ["before-quit", "will-quit"]) {
      const event = {
        get defaultPrevented() {
          return isPrevented;
        },
        preventDefault: () => (isPrevented = true),
      };
      isPrevented = false;
      app.emit(name, event);
      if (isPrevented) return false;
    }
    return true;
  };
  return { did, electron: { app, BrowserWindow, ipcMain, session } };
}

/** Run main.js with Electron and what the package gives in place of the installed ones. */
export function runMain(electron, speakerSidecar) {
  const modules = { electron, "speaker-sidecar": speakerSidecar };
  withModules({ ...modules, "speaker-sidecar/main": speakerSidecar }, () => {
    delete require.cache[join(EXAMPLE, "main.js")];
    require(join(EXAMPLE, "main.js"));
  });
}

/** Run `task` while `require` gives these modules. */
export function withModules(modules, task) {
  const load = Module._load;
  Module._load = (request, ...rest) => modules[request] ?? load(request, ...rest);
  try {
    return task();
  } finally {
    Module._load = load;
  }
}

export async function until(holds) {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}
