/** The forms that audio may have, and the wire's map for each. */

import { resolve } from "node:path";

import { checkSamples, checkCrop, checkNoOther } from "./audio_checks.js";
import { typeNameOf } from "./argument_checks.js";
import { InvalidParams } from "./errors.js";
import type { WireMap } from "./payload.js";

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
 * The wire's map for `audio`, which messages call `name`. Its bin is a view where that is possible,
 * so pack it before the app can change the samples.
 *
 * @throws {InvalidParams} it has none of the forms, or what one of them has is no such thing.
 */
export function audioToWire(audio: Audio, name = "audio"): WireMap {
  if (typeof audio === "string") return { path: resolve(audio) };
  if (isUint8Array(audio) || isArrayBuffer(audio)) return bytesToWire(name, audio);
  if (typeof audio === "object" && audio !== null) {
    if ("samples" in audio) {
      checkNoOther(name, audio, ["samples", "sampleRateHz", "channels"]);
      checkSamples(name, audio);
      return { ...samplesToWire(audio), ...cropToWire(name, audio) };
    }
    // Samples alone have a buffer, too, but another one.
    if ("buffer" in audio && isAudioBuffer(audio.buffer)) {
      checkNoOther(name, audio, ["buffer"]);
      return { ...bufferToWire(name, audio.buffer), ...cropToWire(name, audio) };
    }
    if ("file" in audio) {
      checkNoOther(name, audio, ["file"]);
      return { ...bytesToWire(name, audio.file), ...cropToWire(name, audio) };
    }
    if ("path" in audio) {
      checkNoOther(name, audio, ["path"]);
      return { ...pathToWire(name, audio.path), ...cropToWire(name, audio) };
    }
    if (isAudioBuffer(audio)) return bufferToWire(name, audio);
  }
  throw noAudio(name, audio);
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

function noAudio(name: string, value: unknown): InvalidParams {
  return new InvalidParams(
    `${name} must be {samples, sampleRateHz} with a Float32Array or an Int16Array, an AudioBuffer, ` +
      "the bytes of a file (Uint8Array or ArrayBuffer), or a path, not " +
      typeNameOf(value),
  );
}

function bytesToWire(name: string, file: unknown): WireMap {
  if (isUint8Array(file)) return { file };
  if (isArrayBuffer(file)) return { file: new Uint8Array(file) };
  throw noAudio(name, file);
}

function pathToWire(name: string, path: unknown): WireMap {
  if (typeof path === "string") return { path: resolve(path) };
  if (isUint8Array(path)) return { path };
  throw noAudio(name, path);
}

function samplesToWire({ samples, sampleRateHz, channels = 1 }: SampledAudio): WireMap {
  return {
    pcm: bytesOf(samples),
    encoding: typeNameOf(samples) === "Int16Array" ? "s16le" : "f32le",
    sample_rate_hz: sampleRateHz,
    channels,
  };
}

function bufferToWire(name: string, buffer: AudioBufferLike): WireMap {
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
  const sampled = { samples, sampleRateHz: buffer.sampleRate, channels: nChannels };
  checkSamples(name, sampled);
  return samplesToWire(sampled);
}

const CROP_FIELDS = { startS: "start_s", endS: "end_s", channel: "channel", strict: "strict" };

function cropToWire(name: string, audio: Crop): WireMap {
  checkCrop(name, audio);
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
