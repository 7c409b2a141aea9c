// What a strict TypeScript app writes; the tests compile it, and the same text as CommonJS.
import {
  BadAudio,
  cosine,
  Overloaded,
  SidecarError,
  restoreError,
  SpeakerSidecar,
  UnknownPerson,
  type Audio,
  type BatchItem,
  type DiarizeResult,
  type EmbedResult,
  type ErrorReport,
  type IdentifyResult,
  type Live,
  type LiveTurn,
  type People,
  type QualityFlag,
  type RequestProgress,
  type Segment,
  type SidecarState,
  type StoredEmbedding,
} from "speaker-sidecar";
import { ChildGone, restoreError as restoreInAPage } from "speaker-sidecar/errors";

export async function whoSpeaks(
  audio: Audio,
  voices: Map<string, StoredEmbedding>,
): Promise<string> {
  const sidecar = await SpeakerSidecar.start({
    command: "python3",
    args: ["-m", "sidecar"],
    env: { PYTHONUNBUFFERED: "1" },
    signal: AbortSignal.timeout(60_000),
    onStateChange: (state: SidecarState) => console.log(state === "ready"),
    onExit: ({ kind, willRestart }) => (kind === "usage" && willRestart ? "stop" : undefined),
  });
  // @ts-expect-error an end is followed by another start, or not
  void SpeakerSidecar.start({ command: "python3", args: [], onExit: () => "later" });
  sidecar
    .on("health", ({ state, device }) => console.log(state.toUpperCase(), device?.selected))
    .on("progress", ({ phase, done, total }) =>
      console.log(phase, total === null ? done : done / total),
    )
    .on("exit", ({ code, willRestart }) => console.log(code?.toFixed(), willRestart))
    .once("restart", ({ delayMs, device }) => console.log(delayMs, device === "cpu"))
    .on("log", ({ source, text }) => console.log(source, text));
  // @ts-expect-error there is no such event
  sidecar.on("helth", () => undefined);
  // @ts-expect-error windowS is missing
  void sidecar.embedWindows(audio, { hopS: 1 });
  // @ts-expect-error an array of numbers is no audio
  void sidecar.embed([0, 1]);
  // @ts-expect-error a pair is no segment
  void sidecar.embedSegments(audio, [[0, 1]]);
  // @ts-expect-error one embedding has no progress
  void sidecar.embed(audio, { onProgress: () => undefined });

  const controller = new AbortController();
  try {
    const voice: EmbedResult = await sidecar.embed(audio, {
      signal: controller.signal,
      deadlineMs: 5_000,
      normalize: false,
    });
    const embedding: Float32Array = voice.embedding;
    const items: BatchItem[] = await sidecar.embedBatch([
      { samples: new Float32Array(16_000), sampleRateHz: 16_000 },
      { file: new Uint8Array(), startS: 1 },
      "/a/path.wav",
    ]);
    for (const item of items) {
      if (item.status === "fulfilled") console.log(item.value.durationS);
      else console.log(item.reason.kind);
    }
    const { embeddings, startsS } = await sidecar.embedWindows(audio, { windowS: 2, hopS: 1 });
    console.log(
      embedding.length,
      embeddings[0]?.length,
      startsS.length,
      sidecar.hello.limits.maxInFlight,
    );
    const segments: Segment[] = [{ startS: 0.5, endS: 2 }];
    const onProgress = ({ done, total, unit }: RequestProgress) =>
      console.log(total === null ? `${done} ${unit}` : done / total);
    const turns: BatchItem[] = await sidecar.embedSegments(audio, segments, { onProgress });
    console.log(turns.length, sidecar.hello.limits.maxSegments?.toFixed());
    let best = { name: "nobody", cosine: 0.5 };
    for (const [name, kept] of voices) {
      const { cosine } = await sidecar.score(voice, kept);
      if (cosine > best.cosine) best = { name, cosine };
    }
    const { segments: spoken } = await sidecar.speech(audio);
    await sidecar.embedSegments(audio, spoken);
    const told: DiarizeResult = await sidecar.diarize(audio, { nSpeakers: 2, onProgress });
    const [speaker] = told.speakers;
    if (speaker) await sidecar.score({ ...speaker, fingerprint: told.fingerprint }, audio);
    await sidecar.embedSegments(audio, told.turns);
    await listen(sidecar);
    const { same, probability } = await sidecar.score(voice, audio, { speech: "auto", far: 0.001 });
    console.log(same ?? "not known", probability?.toFixed(), cosine(voice, embedding).toFixed());
    const flags: readonly QualityFlag[] = voice.quality?.flags ?? [];
    if (flags.includes("silent")) return "nobody";
    const fromStores = ["AAAAPw==", [0.5], new Uint8Array(4)].map((stored) => ({
      embedding: stored,
      fingerprint: voice.fingerprint,
    }));
    for (const stored of fromStores) console.log(cosine(stored, voice));
    sidecar
      .unref()
      .ref()
      .on("state", (state: SidecarState) => console.log(state));
    if (sidecar.state === "failed") await sidecar.restart();
    return (await meet(sidecar.people, voice, audio)) ?? best.name;
  } catch (error) {
    const report: ErrorReport | undefined = restoreError(error)?.toJSON();
    console.log(report?.kind, restoreInAPage(report) instanceof ChildGone);
    if (error instanceof BadAudio) return error.message;
    if (error instanceof Overloaded) return String(error.details.retryAfterMs);
    if (error instanceof SidecarError && error.retryable) return error.kind;
    throw error;
  } finally {
    await sidecar.close({ drainMs: 1_000 });
  }
}

async function listen(sidecar: SpeakerSidecar): Promise<void> {
  const { signal } = new AbortController();
  const live: Live = sidecar.live({ sampleRateHz: 16_000, identify: true, signal });
  live
    .on("turn", ({ speaker, person }) => console.log(person?.name ?? speaker ?? "somebody"))
    .on("level", ({ rmsDbfs = -100 }) => console.log(rmsDbfs.toFixed()))
    .once("restarted", ({ againS, sameModel }) => console.log(againS.toFixed(), sameModel))
    .on("lag", ({ bufferedS }) => console.log(bufferedS.toFixed()))
    .on("error", ({ message }) => console.log(message));
  // @ts-expect-error numbers are no samples
  live.push([0, 1]);
  // @ts-expect-error its rate must be told
  sidecar.live({ identify: true });
  live.push(new Float32Array(1_600));
  await live.drained();
  const final: LiveTurn[] = [];
  for await (const turn of live) if (turn.final) final.push(turn);
  const { speakers, fingerprint } = await live.close({ maxSpeakers: 4, exclusive: true });
  const known = speakers.map((speaker) => ({ fingerprint, ...speaker }));
  sidecar.live({ sampleRateHz: 16_000, startS: final[0]?.endS ?? 0, speakers: known });
}

async function meet(people: People, voice: EmbedResult, audio: Audio): Promise<string | undefined> {
  const { id, progress } = await people.enroll({ name: "Ada", audio }, { speech: "require" });
  await people.enroll({ id, embeddings: [voice, { ...voice, speechS: 2 }] });
  // @ts-expect-error an export is no audio
  void people.enroll({ name: "Ada", audio: await people.export() });
  // @ts-expect-error whose id it is must be told
  void people.verify(audio);
  const found: IdentifyResult = await people.identify(audio, { top: 3, adapt: progress === 1 });
  try {
    await people.rename(id, "Ada Lovelace");
    const { prints } = await people.get(id);
    await people.forget(id, { print: prints[0]?.id });
  } catch (error) {
    if (!(error instanceof UnknownPerson)) throw error;
  }
  const { added } = await people.import(await people.export({ ids: [id] }), { replace: true });
  const [first] = await people.list();
  console.log(added.toFixed(), first?.createdAt, (await people.verify(id, voice)).same);
  return found.person?.name;
}
