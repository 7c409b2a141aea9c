// The only thing that the page gets of Electron: `window.bridge`.

const { contextBridge, ipcRenderer, webUtils } = require("electron");

const CALLS = ["service", "retry", "people", "enroll", "enrollSpeaker", "rename", "forget"];
CALLS.push("speech", "diarize", "cancel", "listen", "hindsight");
const EVENTS = ["service", "heard", "turn", "heardUntil", "lag", "liveFault"];

const calls = CALLS.map((name) => [name, (...values) => ipcRenderer.invoke(name, ...values)]);

contextBridge.exposeInMainWorld("bridge", {
  /** Each answers {value} or {error}: what else an error has than its message is lost on this way. */
  ...Object.fromEntries(calls),

  /** Samples of the microphone. They are copied: a buffer that were transferred would be lost. */
  push: (samples) => ipcRenderer.send("push", samples),

  /** Where a dropped file lies; "" where it is no file of the disk. */
  pathOf: (file) => webUtils.getPathForFile(file),

  on(event, listener) {
    if (EVENTS.includes(event)) ipcRenderer.on(event, (_, value) => listener(value));
  },
});
