/** The forms that audio may have, and the wire's map for each. */

import { resolve } from "node:path";

import { InvalidParams } from "./errors";
import type { WireMap } from "./payload";

/** What to use of an audio. */
export interface Crop {
  /** Seconds from its start. */
  readonly startS?: number | undefined;
  readonly endS?: number | undefined;
  /** One channel, counted from 0, or the mean of all. Default: "mix". */
  readonly channel?: number | "mix" | undefined;
  /** Refuse a file that would be decoded with a warning. Default: false. */
  readonly strict?: boolean | undefined;
}

/** One part of many of an audio, in seconds from its start. */
export interface Segment {
  readonly startS: number;
  readonly endS: number;
}

/** Samples: floats of full scale 1.0, or 16-bit integers; the channels interleaved. */
export interface SampledAudio extends Crop {
  readonly samples: Float32Array | Int16Array;
  /** 8,000 to 192,000. */
  readonly sampleRateHz: number;
  /** Default: 1. */
  readonly channels?: number | undefined;
}

/** What `decodeAudioData` gives, or anything alike. */
export interface AudioBufferLike {
  readonly sampleRate: number;
  readonly numberOfChannels: number;
  getChannelData(channel: number): Float32Array;
}

/** Such a buffer, and the part of it to use. */
export interface BufferedAudio extends Crop {
  readonly buffer: AudioBufferLike;
}

/** The bytes of an audio file. */
export interface FileAudio extends Crop {
  readonly file: Uint8Array | ArrayBuffer;
}

/**
 * The path of an audio file; a relative one begins at this process's current folder. A name that is
 * no UTF-8, as Linux allows, is its bytes: an absolute path, as `readdir` gives it as a Buffer.
 */
export interface PathAudio extends Crop {
  readonly path: string | Uint8Array;
}

/** A bare string is a path, and bare bytes are a file's. */
export type Audio =
  | SampledAudio
  | AudioBufferLike
  | BufferedAudio
  | FileAudio
  | PathAudio
  | Uint8Array
  | ArrayBuffer
  | string;

/**
 * The wire's map for `audio`. Its bin is a view where that is possible, so pack it before the app
 * can change the samples.
 *
 * @throws {InvalidParams} it has none of the forms.
 */
export function audioToWire(audio: Audio): WireMap {
  if (typeof audio === "string") return { path: resolve(audio) };
  if (isUint8Array(audio)) return { file: audio };
  if (isArrayBuffer(audio)) return { file: new Uint8Array(audio) };
  if (typeof audio === "object" && audio !== null) {
    const crop = cropToWire(audio);
    if ("samples" in audio) return { ...samplesToWire(audio), ...crop };
    // Samples alone have a buffer, too, but another one.
    if ("buffer" in audio && isAudioBuffer(audio.buffer)) {
      return { ...bufferToWire(audio.buffer), ...crop };
    }
    if ("file" in audio) return { ...audioToWire(audio.file), ...crop };
    if ("path" in audio) {
      const { path } = audio;
      return { ...(isUint8Array(path) ? { path } : audioToWire(path)), ...crop };
    }
    if (isAudioBuffer(audio)) return bufferToWire(audio);
  }
  throw new InvalidParams(
    "audio must be {samples, sampleRateHz}, an AudioBuffer, the bytes of a file (Uint8Array or " +
      `ArrayBuffer), or a path, not ${typeNameOf(audio)}`,
  );
}

/**
 * The wire's pairs for `segments`.
 *
 * @throws {InvalidParams} they are not an array of segments.
 */
export function segmentsToWire(segments: readonly Segment[]): [number, number][] {
  if (!Array.isArray(segments)) {
    throw new InvalidParams(`segments must be an array, not ${typeNameOf(segments)}`);
  }
  return segments.map((segment: Segment | undefined, index) => {
    const { startS, endS } = segment ?? {};
    if (typeof startS !== "number" || typeof endS !== "number") {
      throw new InvalidParams(`segments[${index}] must be {startS, endS}, both in seconds`);
    }
    return [startS, endS];
  });
}

/** The floats in `bytes`, f32le, as an array of their own. */
export function floatsOf(bytes: Uint8Array): Float32Array {
  // A copy: inside a payload they need not lie at a multiple of 4.
  return new Float32Array(Uint8Array.from(bytes).buffer);
}

function samplesToWire({ samples, sampleRateHz, channels = 1 }: SampledAudio): WireMap {
  const encoding = { Float32Array: "f32le", Int16Array: "s16le" }[typeNameOf(samples)];
  if (encoding === undefined) {
    throw new InvalidParams(
      `audio.samples must be a Float32Array or an Int16Array, not ${typeNameOf(samples)}`,
    );
  }
  return {
    pcm: bytesOf(samples),
    encoding,
    sample_rate_hz: sampleRateHz,
    channels,
  };
}

function bufferToWire(buffer: AudioBufferLike): WireMap {
  const nChannels = buffer.numberOfChannels;
  const channels = Array.from({ length: nChannels }, (_, index) => buffer.getChannelData(index));
  const [first = new Float32Array()] = channels;
  let samples = first;
  if (nChannels > 1) {
    samples = new Float32Array(first.length * nChannels);
    channels.forEach((channel, index) => {
      for (let n = 0; n < channel.length; n++) samples[n * nChannels + index] = channel[n]!;
    });
  }
  return samplesToWire({ samples, sampleRateHz: buffer.sampleRate, channels: nChannels });
}

const CROP_FIELDS = { startS: "start_s", endS: "end_s", channel: "channel", strict: "strict" };

function cropToWire(audio: object): WireMap {
  const given = Object.entries(CROP_FIELDS).filter(([name]) => name in audio);
  return Object.fromEntries(given.map(([name, field]) => [field, (audio as WireMap)[name]]));
}

/** The bytes of `samples`, as a view. */
export function bytesOf(samples: Float32Array | Int16Array): Uint8Array {
  // They have the processor's byte order, and every one that Node and Electron run on is
  // little-endian, as the wire is.
  return new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
}

function isAudioBuffer(value: unknown): value is AudioBufferLike {
  return typeof value === "object" && value !== null && "getChannelData" in value;
}

/** Whether `value` is one, of whatever context. */
export function isUint8Array(value: unknown): value is Uint8Array {
  return typeNameOf(value) === "Uint8Array";
}

function isArrayBuffer(value: unknown): value is ArrayBuffer {
  return typeNameOf(value) === "ArrayBuffer";
}

/** What `value` is. */
// Not instanceof: what comes from another context (Electron, vm) has other constructors.
export function typeNameOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}
