// Electron, faked at its edge: the app's own main process runs against this, under plain Node.

import { EventEmitter } from "node:events";
import Module, { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const EXAMPLE = fileURLToPath(new URL("../", import.meta.url));
/** The package's own preload script, which the window is to have. */
export const PRELOAD = fileURLToPath(
  new URL("../../../protocol/node/dist/preload_script.js", import.meta.url),
);
const require = createRequire(import.meta.url);

/** What of Electron the app uses: {electron, did}, where `did` is what it did with it. */
export function fakeElectron(userData) {
  const did = { handlers: {}, sent: new EventEmitter(), news: [], ipc: new EventEmitter() };
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
        mainFrame: { url: "file:///app/page/index.html", parent: null },
        isDestroyed: () => false,
        send(channel, task, news) {
          did.news.push(news);
          did.sent.emit("news", channel, task, news);
        },
        setWindowOpenHandler: (handler) => (did.windowOpen = handler),
      });
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
  const fromPage = () => {
    const { webContents } = did.window;
    return { sender: webContents, senderFrame: webContents.mainFrame };
  };
  /** As the page does by `ipcRenderer`. */
  did.invoke = (channel, ...values) => did.handlers[channel](fromPage(), ...values);
  did.send = (channel, ...values) => did.ipc.emit(channel, fromPage(), ...values);
  did.ask = (name, ...values) => did.invoke("speaker-sidecar:call", name, ...values);
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
function withModules(modules, task) {
  const { _load: load, _resolveFilename: resolve } = Module;
  const isPreload = (request) => request === "speaker-sidecar/preload-script";
  Module._load = (request, ...rest) => modules[request] ?? load(request, ...rest);
  Module._resolveFilename = (request, ...rest) =>
    isPreload(request) ? PRELOAD : resolve(request, ...rest);
  try {
    return task();
  } finally {
    Object.assign(Module, { _load: load, _resolveFilename: resolve });
  }
}

export async function until(holds) {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}
