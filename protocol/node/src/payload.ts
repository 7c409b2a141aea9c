/** Payloads: one msgpack map as bytes. Strict in what is read, plain in what is written. */

import { decode, encode, ExtensionCodec } from "@msgpack/msgpack";

import { ParseError } from "./errors.js";

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

const ENCODER_OPTIONS = { ignoreUndefined: true, extensionCodec: NO_EXTENSIONS };
// From here on a second copy costs more than a header of its own.
const LONG_BIN_BYTES = 64 * 2 ** 10;

const DECODER_OPTIONS = {
  extensionCodec: NO_EXTENSIONS,
  maxArrayLength: MAX_ARRAY_ITEMS,
  maxMapLength: MAX_MAP_ITEMS,
};

/** The payload for `message`: a `Uint8Array` becomes a bin; a field that is undefined is absent. */
export function pack(message: WireMap): Uint8Array {
  return encode(message, ENCODER_OPTIONS);
}

/**
 * The same payload in pieces: its long bins are views of the app's bytes, so that they are copied
 * once, into the frame.
 */
export function packInPieces(value: unknown): Uint8Array[] {
  if (value instanceof Uint8Array && value.length >= LONG_BIN_BYTES) {
    return [header(0xc6, value.length), value];
  }
  // msgpack's codes of types: 0xc6 bin, 0xdd array, 0xdf map.
  if (!holdsLongBin(value)) return [encode(value, ENCODER_OPTIONS)];
  if (Array.isArray(value)) {
    return [header(0xdd, value.length), ...value.flatMap(packInPieces)];
  }
  const fields = Object.entries(value as WireMap).filter(([, field]) => field !== undefined);
  const pieces = fields.flatMap(([name, field]) => [encode(name), ...packInPieces(field)]);
  return [header(0xdf, fields.length), ...pieces];
}

function holdsLongBin(value: unknown): boolean {
  if (value instanceof Uint8Array) return value.length >= LONG_BIN_BYTES;
  if (Array.isArray(value)) return value.some(holdsLongBin);
  return isMap(value) && Object.values(value).some(holdsLongBin);
}

/** What stands before a bin, an array or a map whose length has 32 bits. */
function header(type: number, length: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(5);
  bytes.writeUInt8(type);
  bytes.writeUInt32BE(length, 1);
  return bytes;
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
