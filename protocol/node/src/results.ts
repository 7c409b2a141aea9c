/** The wire's results as the app gets them: names in camelCase, embeddings as `Float32Array`. */

import { floatsOf } from "./audio.js";
import { camelCased } from "./camel_case.js";
import type { DiarizeResult } from "./diarization_reports.js";
import { errorFromWire, ParseError, type SidecarError } from "./errors.js";
import type { AnyTurn } from "./live_reports.js";
import { readError } from "./messages.js";
import { isMap, type WireMap } from "./payload.js";
import type { AudioWarning, EmbedResult, EmbedWindowsResult, SpeechResult } from "./reports.js";

/** An item of a batch, or a segment: what `Promise.allSettled` would give. */
export type BatchItem =
  | { readonly status: "fulfilled"; readonly value: EmbedResult }
  | { readonly status: "rejected"; readonly reason: SidecarError };

/** The outcomes of a call; `warnings` are about the one audio of all segments. */
export type BatchItems = BatchItem[] & { readonly warnings?: readonly AudioWarning[] };

/** A turn as a child tells it: the fingerprint of its voice is the model's. */
export type SaidTurn = AnyTurn & { readonly embedding?: Float32Array; readonly speechS?: number };

/** A result or report without bins. */
export function readPlain<T>(result: WireMap): T {
  return camelCased(result) as T;
}

/** The result of `speech`. */
export function readSpeech(result: WireMap): SpeechResult {
  const { segments, ...rest } = result;
  const pairs = segments as readonly [number, number][];
  return {
    ...readPlain<SpeechResult>(rest),
    segments: pairs.map(([startS, endS]) => ({ startS, endS })),
  };
}

/** The result of `diarize`. */
export function readDiarize(result: WireMap): DiarizeResult {
  const plain = readPlain<DiarizeResult>(result);
  return {
    ...plain,
    speakers: plain.speakers.map((speaker) => ({
      ...speaker,
      embedding: floatsOf(readBin(speaker.embedding, "embedding")),
    })),
  };
}

/** What `stream_turn` tells, with the child's number and label. */
export function readLiveTurn(params: WireMap): SaidTurn {
  const { stream: _, embedding, ...rest } = params;
  const plain = readPlain<SaidTurn>({ end_s: null, speaker: null, ...rest });
  if (embedding == null) return plain;
  return { ...plain, embedding: floatsOf(readBin(embedding, "embedding")) };
}

/** The result of `embed`. */
export function readEmbed(result: WireMap): EmbedResult {
  const { embedding, ...rest } = result;
  return { ...readPlain<EmbedResult>(rest), embedding: floatsOf(readBin(embedding, "embedding")) };
}

/** The result of `embed_windows`. */
export function readEmbedWindows(result: WireMap): EmbedWindowsResult {
  const { embeddings, ...rest } = result;
  const floats = floatsOf(readBin(embeddings, "embeddings"));
  const plain = readPlain<EmbedWindowsResult>(rest);
  return {
    ...plain,
    embeddings: Array.from({ length: plain.count }, (_, index) =>
      floats.slice(index * plain.dim, (index + 1) * plain.dim),
    ),
  };
}

/** The result of `embed_batch` or `embed_segments`: its items, in order. */
export function readBatch(result: WireMap): BatchItems {
  if (!Array.isArray(result.results)) throw new ParseError("a batch's result has no results");
  const items: BatchItems = result.results.map((item: unknown): BatchItem => {
    if (isMap(item) && isMap(item.result)) {
      return { status: "fulfilled", value: readEmbed(item.result) };
    }
    if (isMap(item) && isMap(item.error)) {
      return { status: "rejected", reason: errorFromWire(readError(item.error)) };
    }
    throw new ParseError("an item of a batch is neither a result nor an error");
  });
  const { warnings } = readPlain<{ warnings?: readonly AudioWarning[] }>({
    warnings: result.warnings,
  });
  return warnings === undefined ? items : Object.assign(items, { warnings });
}

function readBin(value: unknown, name: string): Uint8Array {
  if (!(value instanceof Uint8Array) || value.length % 4 !== 0) {
    throw new ParseError(`${name} is not a bin of 32-bit floats`);
  }
  return value;
}
