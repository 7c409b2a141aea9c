// The main process: one window, and a voice service behind it, without which the app lives, too.

const { join } = require("node:path");

/**
 * Start the app. The window comes first; it shows what the voice service is doing.
 *
 * @param electron - the module `electron`.
 * @param speakerSidecar - the modules `speaker-sidecar` and `speaker-sidecar/main`.
 * @param preload - the path of `speaker-sidecar/preload-script`.
 */
async function runApp(electron, speakerSidecar, preload) {
  const { app, ipcMain, session } = electron;
  const { allowMicrophone, closeBeforeQuit, serveSpeaker, SpeakerService } = speakerSidecar;
  app.on("window-all-closed", () => app.quit());
  await app.whenReady();
  let whenShown;
  const shown = new Promise((resolve) => (whenShown = resolve));
  const service = new SpeakerService(async (how) => {
    await shown;
    return startSidecar(app, speakerSidecar, how);
  });
  closeBeforeQuit(app, service);
  serveSpeaker({ ipcMain, sidecar: service });
  allowMicrophone(session.defaultSession);
  // Also where it is closed before: who quits waits for the start to settle.
  await openWindow(electron, preload).finally(whenShown);
}

async function startSidecar(app, { findCommand, SpeakerSidecar }, how) {
  const { command, args } = findCommand({ isPackaged: app.isPackaged, projectFolder: __dirname });
  const gallery = join(app.getPath("userData"), "people.db");
  const options = ["--model", "campplus-zh-en", "--speech", "--gallery", gallery];
  const sidecar = await SpeakerSidecar.start({ command, args: [...args, ...options], ...how });
  return sidecar.on("log", ({ text }) => console.log(text));
}

async function openWindow({ BrowserWindow }, preload) {
  const window = new BrowserWindow({
    width: 1120,
    height: 800,
    minWidth: 420,
    minHeight: 480,
    title: "Who is speaking",
    webPreferences: { preload, contextIsolation: true, sandbox: true, nodeIntegration: false },
  });
  window.webContents.setWindowOpenHandler(() => ({ action: "deny" }));
  window.webContents.on("will-navigate", (event) => event.preventDefault());
  await window.loadFile(join(__dirname, "page", "index.html"));
}

module.exports = { runApp };
