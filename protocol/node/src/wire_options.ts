/** A call's options as params of the wire, and what a child must be able to do for them. */

import { InvalidParams, MethodNotFound } from "./errors";
import type { DiarizeOptions, EmbedBatchOptions, EmbedManyOptions } from "./options";
import type { ScoreOptions, SpeechOptions } from "./options";
import type { WireMap } from "./payload";
import type { Hello } from "./reports";

// Which minor version brought `far` and `prior`.
const SCORES_WITH_MEANING = 2;

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
  if (speech !== undefined && !hello.capabilities.includes("speech")) {
    refuse("speech", needs(hello, "speech"));
  }
  return { speech };
}

/** @throws {InvalidParams} it has what the child has not. */
export function scoreParams(options: ScoreOptions, hello: Hello): WireMap {
  const { far, prior } = options;
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
  return { normalize, deadline_ms: deadlineMs, ...speechParams(options, hello) };
}

/** @throws {InvalidParams} it has `speech`, which the child has not. */
export function embedManyParams(options: EmbedManyOptions, hello: Hello): WireMap {
  return { ...embedParams(options, hello), progress: options.onProgress && true };
}

/** How many speakers there are, and what else is wanted of `diarize`. */
export function diarizeParams(options: DiarizeOptions): WireMap {
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

function refuse(name: string, why: string): never {
  throw new InvalidParams(`the option ${name} ${why}`, "unknown_field");
}

function needs({ name, version }: Hello, what: string): string {
  return `needs ${what}, which ${name} ${version} does not have: install a newer one`;
}
