/** A voice: an audio, or an embedding that the app kept; and how alike two kept ones are. */

import { audioToWire, bytesOf, type Audio } from "./audio";
import { IncompatibleEmbeddings } from "./errors";
import type { WireMap } from "./payload";
import type { Quality } from "./reports";

/** An embedding that the app kept, and the fingerprint that it came with; an `EmbedResult` is one. */
export interface StoredEmbedding {
  readonly embedding: Float32Array;
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

/** The wire's map for `voice`. `protocolMinor`: of the child, which may not know of `speech_s`. */
export function voiceToWire(voice: Voice, protocolMinor: number): WireMap {
  return isStored(voice) ? embeddingToWire(voice, protocolMinor) : audioToWire(voice);
}

/** The wire's map for a stored embedding. */
export function embeddingToWire(voice: StoredEmbedding, protocolMinor: number): WireMap {
  const { embedding, fingerprint, speechS = voice.quality?.speechS } = voice;
  const isKnown = protocolMinor >= 2 && speechS != null;
  return {
    embedding: bytesOf(embedding),
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
export function cosine(a: StoredEmbedding | Float32Array, b: StoredEmbedding | Float32Array) {
  const [x, y] = [numbersOf(a), numbersOf(b)];
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

function numbersOf(voice: StoredEmbedding | Float32Array): Float32Array {
  return "embedding" in voice ? voice.embedding : voice;
}

function fingerprintOf(voice: StoredEmbedding | Float32Array): string | null {
  return "embedding" in voice ? voice.fingerprint : null;
}
