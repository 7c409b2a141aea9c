/** A voice: an audio, or an embedding that the app kept; and how alike two kept ones are. */

import { checkOption, checkText, shown, typeNameOf } from "./argument_checks.js";
import { audioToWire, bytesOf, floatsOf, isUint8Array, type Audio } from "./audio.js";
import { IncompatibleEmbeddings, InvalidParams } from "./errors.js";
import type { WireMap } from "./payload.js";
import type { Quality } from "./reports.js";

/** An embedding that the app kept, and the fingerprint that it came with; an `EmbedResult` is one. */
export interface StoredEmbedding {
  /** Its numbers, or its bytes (f32, little-endian) as such or in base64: as a store gives them. */
  readonly embedding: Float32Array | readonly number[] | Uint8Array | string;
  readonly fingerprint: string;
  /** Of how much speech it was made. Default: what its `quality` says. */
  readonly speechS?: number | null | undefined;
  readonly quality?: Pick<Quality, "speechS"> | undefined;
}

/** What may be compared. */
export type Voice = Audio | StoredEmbedding;

/** Whether `voice` needs no decoding. */
export function isStored(voice: Voice): voice is StoredEmbedding {
  return typeof voice === "object" && voice !== null && "embedding" in voice;
}

/**
 * The wire's map for `voice`, which messages call `name`. `protocolMinor`: of the child, which may
 * not know of `speech_s`.
 */
export function voiceToWire(voice: Voice, protocolMinor: number, name = "audio"): WireMap {
  return isStored(voice) ? embeddingToWire(voice, protocolMinor, name) : audioToWire(voice, name);
}

/** The wire's map for a stored embedding. */
export function embeddingToWire(
  voice: StoredEmbedding,
  protocolMinor: number,
  name: string,
): WireMap {
  const { embedding, fingerprint, speechS = voice.quality?.speechS } = voice;
  checkText(`${name}.fingerprint`, fingerprint);
  if (speechS !== null) checkOption(`${name}.speechS`, speechS, { least: 0 });
  const isKnown = protocolMinor >= 2 && speechS != null;
  return {
    embedding: bytesOf(numbersIn(embedding, `${name}.embedding`)),
    fingerprint,
    ...(isKnown ? { speech_s: speechS } : {}),
  };
}

/**
 * How alike two embeddings are, -1 to 1: what `score` gives as `cosine`, without asking the child.
 * Bare numbers have no fingerprint: that they are of one model is for the caller to know.
 *
 * @throws {IncompatibleEmbeddings} they are of two models.
 */
export function cosine(
  a: StoredEmbedding | Float32Array,
  b: StoredEmbedding | Float32Array,
): number {
  const [x, y] = [numbersOf(a, "a"), numbersOf(b, "b")];
  const [first, second] = [fingerprintOf(a), fingerprintOf(b)];
  const areTwoModels = first !== null && second !== null && first !== second;
  if (areTwoModels || x.length !== y.length) {
    throw new IncompatibleEmbeddings(
      `an embedding of ${first ?? `${x.length} numbers`} and one of ` +
        `${second ?? `${y.length} numbers`} cannot be compared: embed both audios with one model`,
      undefined,
      { a: first, b: second },
    );
  }
  const dot = (p: Float32Array, q: Float32Array) =>
    p.reduce((sum, value, index) => sum + value * q[index]!, 0);
  return Math.max(-1, Math.min(1, dot(x, y) / Math.sqrt(dot(x, x) * dot(y, y))));
}

function numbersOf(voice: StoredEmbedding | Float32Array, name: string): Float32Array {
  return "embedding" in voice ? numbersIn(voice.embedding, `${name}.embedding`) : voice;
}

/** @throws {InvalidParams} there are no numbers in it. */
function numbersIn(stored: unknown, name: string): Float32Array {
  const numbers = readNumbers(stored);
  if (numbers !== null && numbers.length > 0 && numbers.every(Number.isFinite)) return numbers;
  throw new InvalidParams(
    `${name} must be a Float32Array, its numbers as an array, or its bytes (4 for each number, ` +
      `little-endian) as a Uint8Array or in base64, not ${shown(stored)}; JSON.stringify makes ` +
      "something else of a Float32Array: store Array.from(embedding)",
  );
}

function readNumbers(stored: unknown): Float32Array | null {
  if (typeNameOf(stored) === "Float32Array") return stored as Float32Array;
  if (Array.isArray(stored)) return Float32Array.from(stored as number[]);
  const isText = typeof stored === "string" && /^[A-Za-z0-9+/]+={0,2}$/.test(stored);
  const bytes = isText ? Buffer.from(stored, "base64") : stored;
  return isUint8Array(bytes) && bytes.length % 4 === 0 ? floatsOf(bytes) : null;
}

function fingerprintOf(voice: StoredEmbedding | Float32Array): string | null {
  return "embedding" in voice ? voice.fingerprint : null;
}
