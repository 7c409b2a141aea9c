// An app's main process, to be killed: orphaning_main.mjs COMMAND ARG... tells the child's pid.

import { SpeakerSidecar } from "speaker-sidecar";

const [command, ...args] = process.argv.slice(2);
const sidecar = await SpeakerSidecar.start({ command, args });
sidecar.on("health", ({ state }) => {
  if (state === "ready") console.log(sidecar.pid);
});
if (sidecar.state === "ready") console.log(sidecar.pid);
