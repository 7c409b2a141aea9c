// The main process: one sidecar, one window, and the calls between the two.

const { join } = require("node:path");

const { handlersFor } = require("./handlers.js");

/**
 * Start the app.
 *
 * @param electron - the module `electron`.
 * @param speakerSidecar - the module `speaker-sidecar`.
 */
async function runApp(electron, speakerSidecar) {
  const { app, dialog } = electron;
  app.on("window-all-closed", () => app.quit());
  await app.whenReady();
  try {
    const sidecar = await startSidecar(app, speakerSidecar);
    await openWindow(electron, sidecar);
  } catch (error) {
    dialog.showErrorBox("The speaker sidecar cannot be started", error.message);
    app.exit(1);
  }
}

async function startSidecar(app, { SpeakerSidecar, closeBeforeQuit, findCommand }) {
  const { command, args } = findCommand({
    isPackaged: app.isPackaged,
    projectFolder: __dirname,
  });
  const sidecar = await SpeakerSidecar.start({
    command,
    args: [...args, "--model", "campplus-zh-en"],
  });
  closeBeforeQuit(app, sidecar);
  sidecar.on("log", ({ text }) => console.log(text));
  return sidecar;
}

async function openWindow({ BrowserWindow, ipcMain, session }, sidecar) {
  const window = new BrowserWindow({
    width: 760,
    height: 820,
    webPreferences: {
      preload: join(__dirname, "preload.js"),
      contextIsolation: true,
      sandbox: true,
      nodeIntegration: false,
    },
  });
  for (const event of ["health", "progress", "restart"]) {
    sidecar.on(event, (value) => {
      if (!window.isDestroyed()) window.webContents.send(event, value);
    });
  }
  for (const [name, handler] of Object.entries(handlersFor(sidecar))) {
    ipcMain.handle(name, (event, ...values) => {
      // Only our own page, and not a frame in it.
      if (event.senderFrame !== window.webContents.mainFrame) return undefined;
      return handler(...values);
    });
  }
  // The page may use the microphone, and nothing else.
  session.defaultSession.setPermissionRequestHandler((_, permission, allow, { mediaTypes = [] }) =>
    allow(permission === "media" && mediaTypes.every((type) => type === "audio")),
  );
  window.webContents.setWindowOpenHandler(() => ({ action: "deny" }));
  window.webContents.on("will-navigate", (event) => event.preventDefault());
  await window.loadFile(join(__dirname, "page", "index.html"));
}

module.exports = { runApp };
