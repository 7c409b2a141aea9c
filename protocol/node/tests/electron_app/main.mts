import { app, BrowserWindow, ipcMain, session } from "electron";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { closeBeforeQuit, findCommand, SpeakerSidecar } from "speaker-sidecar";
import { allowMicrophone, serveSpeaker } from "speaker-sidecar/main";

await app.whenReady();
const { command, args } = findCommand();
const gallery = join(app.getPath("userData"), "people.db");
const options = ["--model", "campplus-zh-en", "--gallery", gallery];
const sidecar = await SpeakerSidecar.start({ command, args: [...args, ...options] });
closeBeforeQuit(app, sidecar);
serveSpeaker({ ipcMain, sidecar });
allowMicrophone(session.defaultSession);
const preload = fileURLToPath(import.meta.resolve("speaker-sidecar/preload-script"));
await new BrowserWindow({ webPreferences: { preload } }).loadFile("index.html");
