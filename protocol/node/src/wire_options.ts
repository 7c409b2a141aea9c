/** A call's options as params of the wire, and what a child must be able to do for them. */

import { checkFlag, checkOption, checkShare, checkWord } from "./argument_checks.js";
import { bytesOf } from "./audio.js";
import { InvalidParams, MethodNotFound } from "./errors.js";
import type { DiarizeOptions, EmbedBatchOptions, EmbedManyOptions } from "./options.js";
import type { ScoreOptions, SpeechOptions } from "./options.js";
import type { KnownSpeaker, LiveOptions } from "./live_reports.js";
import type { WireMap } from "./payload.js";
import type { Hello } from "./reports.js";

// Which minor version brought `far` and `prior`.
const SCORES_WITH_MEANING = 2;
const SPEAKERS = { least: 1, most: 100, isWhole: true };

/**
 * See that the child has what `what` needs; it would refuse, but later, and in other words.
 *
 * @throws {MethodNotFound} it has not.
 */
export function demand(hello: Hello, capability: string, what: string): void {
  if (hello.capabilities.includes(capability)) return;
  throw new MethodNotFound(`${what} ${needs(hello, capability)}`, undefined, { capability });
}

/** @throws {InvalidParams} it has `speech`, which the child has not. */
export function speechParams({ speech }: SpeechOptions, hello: Hello): WireMap {
  checkWord("speech", speech, ["auto", "all", "require"]);
  if (speech !== undefined && !hello.capabilities.includes("speech")) {
    refuse("speech", needs(hello, "speech"));
  }
  return { speech };
}

/** @throws {InvalidParams} it has what the child has not. */
export function scoreParams(options: ScoreOptions, hello: Hello): WireMap {
  const { far, prior } = options;
  checkShare("far", far);
  checkShare("prior", prior);
  for (const [name, value] of Object.entries({ far, prior })) {
    if (value !== undefined && hello.protocolMinor < SCORES_WITH_MEANING) {
      refuse(name, needs(hello, "contract 1.2"));
    }
  }
  return { ...speechParams(options, hello), far, prior };
}

/** @throws {InvalidParams} it has `speech`, which the child has not. */
export function embedParams(options: EmbedBatchOptions, hello: Hello): WireMap {
  const { normalize, deadlineMs } = options;
  checkFlag("normalize", normalize);
  return { normalize, deadline_ms: deadlineMs, ...speechParams(options, hello) };
}

/** @throws {InvalidParams} it has `speech`, which the child has not. */
export function embedManyParams(options: EmbedManyOptions, hello: Hello): WireMap {
  return { ...embedParams(options, hello), progress: options.onProgress && true };
}

/** How many speakers there are, and what else is wanted of `diarize`. */
export function diarizeParams(options: DiarizeOptions): WireMap {
  checkOption("nSpeakers", options.nSpeakers, SPEAKERS);
  checkOption("minSpeakers", options.minSpeakers, SPEAKERS);
  checkOption("maxSpeakers", options.maxSpeakers, SPEAKERS);
  checkFlag("identify", options.identify);
  checkFlag("exclusive", options.exclusive);
  return {
    n_speakers: options.nSpeakers,
    min_speakers: options.minSpeakers,
    max_speakers: options.maxSpeakers,
    identify: options.identify,
    exclusive: options.exclusive,
    deadline_ms: options.deadlineMs,
    progress: options.onProgress && true,
  };
}

/** A stream as it is opened; `beginS`: from its first sample, where it begins this time. */
export function openParams(
  options: LiveOptions,
  beginS: number,
  speakers: readonly KnownSpeaker[],
): WireMap {
  const { sampleRateHz, encoding = "f32le", startS = 0, channel } = options;
  return {
    sample_rate_hz: sampleRateHz,
    encoding,
    channels: options.channels,
    channel,
    identify: options.identify,
    detail: options.detail,
    start_s: startS + beginS,
    speakers: speakers.map(({ label, embedding, fingerprint, speechS }) => ({
      ...{ label, fingerprint, speech_s: speechS },
      embedding: bytesOf(embedding),
    })),
  };
}

function refuse(name: string, why: string): never {
  throw new InvalidParams(`the option ${name} ${why}`, "unknown_field");
}

function needs({ name, version }: Hello, what: string): string {
  return `needs ${what}, which ${name} ${version} does not have: install a newer one`;
}
