// A page that follows the service, keeps what the microphone gives, and says who speaks now.

import {
  diarize,
  listen,
  service,
  speech,
  type Listening,
  type ServiceReport,
  type Speaking,
} from "speaker-sidecar/renderer";

const pieces: Float32Array[] = [];
const controller = new AbortController();

function show(speaking: readonly Speaking[]) {
  const names = speaking.map(({ turn, sure }) => `${turn.person?.name ?? "?"}${sure ? "" : "?"}`);
  document.title = names.join(" and ");
}

void service.follow(({ state, progress, error }: ServiceReport) => {
  document.title = `${state} ${progress?.done ?? ""} ${error?.message ?? ""}`;
});

async function begin(file: File): Promise<Listening> {
  const { speechS } = await speech(file);
  const { signal } = controller;
  await diarize(file, { identify: true, signal, onProgress: ({ done }) => console.log(done) });
  await service.restart();
  console.log(speechS);
  return listen({
    identify: true,
    onSpeaking: show,
    onSamples: (samples) => pieces.push(samples),
    onHeard: (heardS: number) => console.log(heardS),
  });
}

document.querySelector("input")!.addEventListener("change", ({ target }) => {
  void begin((target as HTMLInputElement).files![0]!);
});
