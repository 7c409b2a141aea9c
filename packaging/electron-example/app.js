// The main process: one window, one voice service behind it, and the calls between the two.

const { join } = require("node:path");

const { handlersFor } = require("./handlers.js");
const { VoiceService } = require("./voice_service.js");

/**
 * Start the app. The window comes first; whether the voice service runs is shown in it.
 *
 * @param electron - the module `electron`.
 * @param speakerSidecar - the modules `speaker-sidecar` and `speaker-sidecar/main`.
 */
async function runApp(electron, speakerSidecar) {
  const { app } = electron;
  app.on("window-all-closed", () => app.quit());
  await app.whenReady();
  const service = new VoiceService(app, speakerSidecar, __dirname);
  speakerSidecar.allowMicrophone(electron.session.defaultSession);
  await openWindow(electron, service);
  await service.start();
}

async function openWindow({ BrowserWindow, ipcMain }, service) {
  const window = new BrowserWindow({
    width: 1120,
    height: 800,
    minWidth: 420,
    minHeight: 480,
    title: "Who is speaking",
    webPreferences: {
      preload: join(__dirname, "preload.js"),
      contextIsolation: true,
      sandbox: true,
      nodeIntegration: false,
    },
  });
  const tell = (event, value) => {
    if (!window.isDestroyed()) window.webContents.send(event, value);
  };
  service.on("report", (report) => tell("service", report));
  // Only our own page, and not a frame in it.
  const isOurs = (event) => event.senderFrame === window.webContents.mainFrame;
  const { calls, push, stop } = handlersFor(service, tell);
  for (const [name, handler] of Object.entries(calls)) {
    ipcMain.handle(name, (event, ...values) => (isOurs(event) ? handler(...values) : undefined));
  }
  ipcMain.on("push", (event, samples) => {
    if (isOurs(event)) push(samples);
  });
  // A page that is loaded anew knows nothing of the stream that it had.
  window.webContents.on("did-start-loading", stop);
  window.on("closed", stop);
  window.webContents.setWindowOpenHandler(() => ({ action: "deny" }));
  window.webContents.on("will-navigate", (event) => event.preventDefault());
  await window.loadFile(join(__dirname, "page", "index.html"));
}

module.exports = { runApp };
