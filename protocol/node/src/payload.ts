/** Payloads: one msgpack map as bytes. Strict in what is read, plain in what is written. */

import { decode, encode, ExtensionCodec } from "@msgpack/msgpack";

import { ParseError } from "./errors";

/** A decoded payload, or a map inside of one. */
export type WireMap = Record<string, unknown>;

const MAX_ARRAY_ITEMS = 32_768;
const MAX_MAP_ITEMS = 256;

const NO_EXTENSIONS = new ExtensionCodec();
NO_EXTENSIONS.register({
  type: -1,
  encode: () => null,
  decode: () => {
    throw new ParseError("the payload holds a timestamp: this protocol uses no extension type");
  },
});

const DECODER_OPTIONS = {
  extensionCodec: NO_EXTENSIONS,
  maxArrayLength: MAX_ARRAY_ITEMS,
  maxMapLength: MAX_MAP_ITEMS,
};

/** The payload for `message`: a `Uint8Array` becomes a bin; a field that is undefined is absent. */
export function pack(message: WireMap): Uint8Array {
  return encode(message, { ignoreUndefined: true, extensionCodec: NO_EXTENSIONS });
}

/**
 * The map that `payload` holds; its bins are views into `payload`.
 *
 * @throws {ParseError} not well-formed msgpack, bytes behind the value, or no map.
 */
export function unpack(payload: Uint8Array): WireMap {
  let value: unknown;
  try {
    value = decode(payload, DECODER_OPTIONS);
  } catch (error) {
    if (error instanceof ParseError) throw error;
    throw new ParseError(
      `the payload is not valid msgpack: ${String(error)}`,
      undefined,
      {},
      {
        cause: error,
      },
    );
  }
  if (!isMap(value)) throw new ParseError(`the payload is not a map but ${shown(value)}`);
  return value;
}

/** Whether `value` is a map, as the decoder makes them. */
export function isMap(value: unknown): value is WireMap {
  return (
    typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype
  );
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return "an array";
  if (ArrayBuffer.isView(value)) return "a bin";
  return value === null ? "nil" : `a ${typeof value}`;
}
