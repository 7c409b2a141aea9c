/** What an audio must be for the child to take it, told in the app's words. */

import { checkFlag, checkNumber, checkOption, shown, typeNameOf } from "./argument_checks.js";
import type { Crop, SampledAudio } from "./audio.js";
import { InvalidParams } from "./errors.js";

const CROP = ["startS", "endS", "channel", "strict"];
// Which rates, how many channels and which parts there can be is for the child to say: `BadAudio`.
const COUNT = { least: 1, isWhole: true };
// As other libraries, and the wire itself, call them.
const OUR_NAMES: Readonly<Record<string, string>> = {
  sampleRate: "sampleRateHz",
  sample_rate: "sampleRateHz",
  sample_rate_hz: "sampleRateHz",
  numberOfChannels: "channels",
  channelCount: "channels",
  start: "startS",
  start_s: "startS",
  end: "endS",
  end_s: "endS",
};

/**
 * See that `audio` has nothing but `fields`, and what every form may have.
 *
 * @throws {InvalidParams} it has; the message names what may have been meant.
 */
export function checkNoOther(name: string, audio: object, fields: readonly string[]): void {
  const known = [...fields, ...CROP];
  const other = Object.keys(audio).find((field) => !known.includes(field));
  if (other === undefined) return;
  const meant = OUR_NAMES[other];
  const advice =
    meant !== undefined && known.includes(meant)
      ? `write it as ${meant}`
      : `beside ${fields.join(", ")} there may be ${CROP.join(", ")}`;
  throw new InvalidParams(
    `${name}.${other} is no field of such an audio: ${advice}`,
    "unknown_field",
  );
}

/** @throws {InvalidParams} there are no samples, or they have no rate. */
export function checkSamples(name: string, audio: SampledAudio): void {
  const { samples, sampleRateHz, channels = 1 } = audio;
  const type = typeNameOf(samples);
  if (type !== "Float32Array" && type !== "Int16Array") {
    throw new InvalidParams(
      `${name}.samples must be a Float32Array or an Int16Array, not ${type}` +
        (Array.isArray(samples) ? ": write Float32Array.from(samples)" : ""),
    );
  }
  checkNumber(`${name}.sampleRateHz`, sampleRateHz, COUNT);
  checkNumber(`${name}.channels`, channels, COUNT);
}

/** @throws {InvalidParams} its parts are of other types. */
export function checkCrop(name: string, { startS, endS, channel, strict }: Crop): void {
  checkOption(`${name}.startS`, startS, { least: 0 });
  checkOption(`${name}.endS`, endS, { least: 0 });
  if (channel !== undefined && channel !== "mix" && !(Number.isInteger(channel) && channel >= 0)) {
    throw new InvalidParams(
      `${name}.channel must be "mix" or a channel's number, counted from 0, not ${shown(channel)}`,
    );
  }
  checkFlag(`${name}.strict`, strict);
}
