// A stand-in for Electron that keeps its documented order of quitting. Of the documentation:
// `app.quit` emits `before-quit`, then closes every window (its `close`, then `beforeunload` in its
// page; either may cancel), and once all are closed emits `will-quit`, then `quit`, and exits.
// `autoUpdater.quitAndInstall` closes the windows first, and calls `app.quit` when all are closed; an
// installer runs once the process has exited, and not if `before-quit` was prevented.

import { EventEmitter } from "node:events";

/** Emit what can be prevented; whether nobody did. */
function allows(emitter, name, did) {
  let defaultPrevented = false;
  const event = {
    get defaultPrevented() {
      return defaultPrevented;
    },
    preventDefault: () => (defaultPrevented = true),
  };
  did?.push(name);
  emitter.emit(name, event);
  return !defaultPrevented;
}

export function fakeElectron({ keepsRunningWithoutWindows = false } = {}) {
  const did = [];
  const windows = new Set();
  let isInstalling = false;

  class BrowserWindow extends EventEmitter {
    /** What the page answers when it is to go: false keeps it. */
    beforeunload = () => true;

    constructor() {
      super();
      windows.add(this);
    }

    /** Whether it closed. */
    close() {
      if (!allows(this, "close") || this.beforeunload() === false) return false;
      windows.delete(this);
      this.emit("closed");
      return true;
    }
  }

  const app = Object.assign(new EventEmitter(), {
    hasExited: false,
    quit() {
      if (app.hasExited) return;
      if (!allows(app, "before-quit", did)) {
        isInstalling = false;
        return;
      }
      if ([...windows].every((window) => window.close())) app.leave();
    },
    leave() {
      if (!allows(app, "will-quit", did)) return;
      did.push("quit");
      app.emit("quit");
      app.hasExited = true;
      if (isInstalling) did.push("install");
    },
    /** The user closes every window. */
    closeWindows() {
      if (![...windows].every((window) => window.close())) return;
      if (keepsRunningWithoutWindows) return;
      app.quit();
    },
  });
  const autoUpdater = {
    quitAndInstall() {
      if (![...windows].every((window) => window.close())) return;
      isInstalling = true;
      app.quit();
    },
  };
  return { app, autoUpdater, BrowserWindow, did };
}
