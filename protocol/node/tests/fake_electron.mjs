// Electron's part between a page and the main process, in one process: what crosses is cloned.

import { EventEmitter } from "node:events";

/** One window's page with the preload script's bridge; `exposed` is what the page was given. */
export class FakePage extends EventEmitter {
  static nPages = 0;
  id = (FakePage.nPages += 1);
  exposed = {};
  frame;
  mainFrame;
  #ipcMain;
  #renderer = new EventEmitter();
  #isDestroyed = false;

  constructor(ipcMain, url = "file:///app/index.html") {
    super();
    this.#ipcMain = ipcMain;
    this.frame = this.mainFrame = { url, parent: null };
  }

  /** What `require("electron")` gives in the preload script; `paths` are those of the files. */
  electron(paths = new Map()) {
    return {
      contextBridge: { exposeInMainWorld: (name, api) => (this.exposed[name] = api) },
      ipcRenderer: {
        invoke: async (channel, ...args) => {
          const answer = await this.#ipcMain.handlers[channel](this.#event(), ...clone(args));
          return clone(answer);
        },
        send: (channel, ...args) => this.#ipcMain.emit(channel, this.#event(), ...clone(args)),
        on: (channel, listener) => this.#renderer.on(channel, listener),
      },
      webUtils: { getPathForFile: (file) => paths.get(file) ?? "" },
    };
  }

  // As `webContents`

  send(channel, ...args) {
    if (this.#isDestroyed) throw new Error("Object has been destroyed");
    this.#renderer.emit(channel, {}, ...clone(args));
  }

  isDestroyed() {
    return this.#isDestroyed;
  }

  destroy() {
    this.#isDestroyed = true;
    this.emit("destroyed");
  }

  #event() {
    return { sender: this, senderFrame: this.frame };
  }
}

export class FakeIpcMain extends EventEmitter {
  handlers = {};

  handle(channel, listener) {
    this.handlers[channel] = listener;
  }
}

/** As Electron does it: structured clone, which refuses functions. */
function clone(value) {
  return structuredClone(value);
}
