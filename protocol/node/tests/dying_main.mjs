// An app's main process that has 32 requests in flight, tells the child's pids, and then ends:
// dying_main.mjs SIGKILL|SIGTERM|throw|exit

import { LIGHT, ready, start, tone } from "./sidecars.mjs";

const sidecar = await start({ after: () => undefined }, LIGHT, { LIGHT_EMBED_S: "0.2" });
await ready(sidecar);
for (let n = 0; n < 32; n++) void sidecar.embed(tone(16_000 + n));
sidecar.once("log", () => {
  console.log(sidecar.pid, sidecar.hello.pid);
  if (process.argv[2] === "throw") throw new Error("a bug in the app");
  if (process.argv[2] === "exit") process.exit(0);
});
