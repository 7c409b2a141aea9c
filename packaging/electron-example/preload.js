// The only thing that the page gets of Electron: `window.speaker`.

const { contextBridge, ipcRenderer } = require("electron");

async function ask(name, ...values) {
  const { value, error } = await ipcRenderer.invoke(name, ...values);
  if (error) throw new Error(error.message);
  return value;
}

function tell(event, listener) {
  ipcRenderer.on(event, (_, value) => listener(value));
}

contextBridge.exposeInMainWorld("speaker", {
  enrol: (samples, sampleRateHz) => ask("enrol", samples, sampleRateHz),
  compare: (samples, sampleRateHz) => ask("compare", samples, sampleRateHz),
  forget: () => ask("forget"),
  health: () => ask("health"),
  onHealth: (listener) => tell("health", listener),
  onProgress: (listener) => tell("progress", listener),
  onRestart: (listener) => tell("restart", listener),
});
