// An app whose window comes first: the sidecar may be starting or out of order.

import { app, BrowserWindow, ipcMain } from "electron";
import { fileURLToPath } from "node:url";
import { closeBeforeQuit, findCommand, SpeakerSidecar } from "speaker-sidecar";
import { serveSpeaker, SpeakerService } from "speaker-sidecar/main";

await app.whenReady();
const preload = fileURLToPath(import.meta.resolve("speaker-sidecar/preload-script"));
await new BrowserWindow({ webPreferences: { preload } }).loadFile("index.html");
const service = new SpeakerService(({ signal }) =>
  SpeakerSidecar.start({ ...findCommand(), signal }),
);
closeBeforeQuit(app, service);
serveSpeaker({ ipcMain, sidecar: service });
const forget = service.onReport(({ state, error }) => console.log(state, error?.kind));
forget();
const sidecar: SpeakerSidecar = await service.sidecar;
console.log(service.report.health?.device?.selected, service.state, sidecar.pid);
await service.restart();
