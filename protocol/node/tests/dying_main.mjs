// An app's main process that has 32 requests in flight, tells the child's pids, and then ends:
// dying_main.mjs SIGKILL|SIGTERM|throw|exit
//
// On Windows it tells the pid of what the child started, too. (Elsewhere only an orderly end of the
// main process ends that.)

import { LIGHT, ready, start, tone } from "./sidecars.mjs";

const noise = process.platform === "win32" ? "offspring" : "";
const environment = { LIGHT_EMBED_S: "0.2", LIGHT_NOISE: noise };
const sidecar = await start({ after: () => undefined }, LIGHT, environment);
await ready(sidecar);
for (let n = 0; n < 32; n++) void sidecar.embed(tone(16_000 + n));
sidecar.on("log", function tell({ text }) {
  if (!text.includes(noise)) return;
  sidecar.off("log", tell);
  const [, ...offspring] = text.match(/offspring (\d+) of (\d+)/) ?? [];
  console.log(sidecar.pid, sidecar.hello.pid, ...offspring);
  if (process.argv[2] === "throw") throw new Error("a bug in the app");
  if (process.argv[2] === "exit") process.exit(0);
});
