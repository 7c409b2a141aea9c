/// <reference lib="dom" />
/** The microphone, as 16 kHz mono. */

import { WORKLET_CODE } from "./worklet_code.js";

export const MICROPHONE_RATE_HZ = 16_000;

/** How loud a chunk of 100 ms was; null: all of it is 0. */
export interface MicrophoneLevel {
  /** A square wave of full scale has 0. */
  readonly rmsDbfs: number | null;
  readonly peakDbfs: number | null;
}

/** Which microphone, and what is done to its sound. */
export interface MicrophoneOptions {
  /** Of `microphones()`. Default: the system's choice. */
  readonly deviceId?: string | undefined;
  /** Takes out what the loudspeakers play. Default: true. */
  readonly echoCancellation?: boolean | undefined;
  /** It changes voices. Default: false. */
  readonly noiseSuppression?: boolean | undefined;
  /** It changes levels. Default: false. */
  readonly autoGainControl?: boolean | undefined;
  /**
   * Where the page can load the package's `speaker-sidecar/worklet` from. Default: a Blob's URL,
   * which the page's Content-Security-Policy must allow: `script-src 'self' blob:`.
   */
  readonly workletUrl?: string | undefined;
}

/** Whom an open microphone tells. */
export interface MicrophoneListener {
  /** About 100 ms of mono samples. */
  onSamples(samples: Float32Array, level: MicrophoneLevel): void;
  /** It was unplugged, or taken away. */
  onEnded(): void;
}

/** An open microphone. */
export interface Microphone {
  /** Its name. */
  readonly label: string;
  /** Close it; resolves once the last samples were told. */
  close(): Promise<void>;
}

interface Chunk {
  readonly samples: Float32Array;
  readonly rms: number;
  readonly peak: number;
}

/** What microphones there are; they have names once one of them was allowed. */
export async function microphones(): Promise<
  { readonly deviceId: string; readonly label: string }[]
> {
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices
    .filter(({ kind }) => kind === "audioinput")
    .map(({ deviceId, label }) => ({ deviceId, label }));
}

/**
 * Open a microphone. The person may have to allow it, and must have clicked something in the page.
 *
 * @throws {DOMException} `NotAllowedError`, `NotFoundError` and others: there is none to be had.
 */
export async function openMicrophone(
  options: MicrophoneOptions,
  listener: MicrophoneListener,
): Promise<Microphone> {
  const {
    deviceId,
    echoCancellation = true,
    noiseSuppression = false,
    autoGainControl = false,
  } = options;
  const which = deviceId === undefined ? {} : { deviceId: { exact: deviceId } };
  const audio = { ...which, echoCancellation, noiseSuppression, autoGainControl };
  const stream = await navigator.mediaDevices.getUserMedia({ audio });
  const [track] = stream.getAudioTracks() as [MediaStreamTrack];
  // The browser resamples to the context's rate.
  const context = new AudioContext({ sampleRate: MICROPHONE_RATE_HZ, latencyHint: "interactive" });
  try {
    await addWorklet(context, options.workletUrl);
    await context.resume();
  } catch (error) {
    track.stop();
    await context.close();
    throw error;
  }
  const chunks = new AudioWorkletNode(context, "speaker-sidecar-chunks", {
    numberOfOutputs: 0,
    channelCount: 1,
    channelCountMode: "explicit",
  });
  const lastWasTold = new Promise<void>((resolve) => {
    chunks.port.onmessage = ({ data }: { data: Chunk | null }) => {
      if (data === null) resolve();
      else listener.onSamples(data.samples, levelOf(data));
    };
  });
  context.createMediaStreamSource(stream).connect(chunks);
  track.addEventListener("ended", () => listener.onEnded());
  let closed: Promise<void> | undefined;
  return {
    label: track.label,
    close: () =>
      (closed ??= (async () => {
        chunks.port.postMessage(null);
        await lastWasTold;
        track.stop();
        await context.close();
      })()),
  };
}

async function addWorklet(context: AudioContext, url?: string): Promise<void> {
  if (url !== undefined) return context.audioWorklet.addModule(url);
  const own = URL.createObjectURL(new Blob([WORKLET_CODE], { type: "text/javascript" }));
  try {
    await context.audioWorklet.addModule(own);
  } finally {
    URL.revokeObjectURL(own);
  }
}

function levelOf({ rms, peak }: Chunk): MicrophoneLevel {
  const dbfs = (value: number) => (value === 0 ? null : 20 * Math.log10(value));
  return { rmsDbfs: dbfs(rms), peakDbfs: dbfs(peak) };
}
