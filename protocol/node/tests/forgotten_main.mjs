// An app that forgets to close: forgotten_main.mjs COMMAND ARG... asks once, and comes to its end.

import { SpeakerSidecar } from "speaker-sidecar";

const [command, ...args] = process.argv.slice(2);
const sidecar = (await SpeakerSidecar.start({ command, args })).unref();
const audio = { samples: new Float32Array(16_000), sampleRateHz: 16_000 };
const { dim } = await sidecar.embed(audio);
console.log(sidecar.pid, dim);
