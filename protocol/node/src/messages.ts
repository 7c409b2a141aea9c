/** The envelope: JSON-RPC 2.0 messages as payloads, in both directions. */

import { ParseError, type WireError } from "./errors.js";
import { isMap, pack, packInPieces, unpack, type WireMap } from "./payload.js";

const JSONRPC = "2.0";

/** The protocol that this package speaks, and the newest minor version of it that it knows. */
export const PROTOCOL = 1;
export const PROTOCOL_MINOR = 3;

/** A request's id: an integer from 0 to 2^53-1, or a string of 1 to 64 bytes. */
export type RequestId = number | string;

/** The methods of the protocol. */
export type Method =
  | "embed"
  | "embed_batch"
  | "embed_windows"
  | "embed_segments"
  | "probe"
  | "speech"
  | "diarize"
  | "score"
  | "enroll"
  | "people"
  | "person"
  | "rename_person"
  | "forget_person"
  | "verify"
  | "identify"
  | "export_people"
  | "import_people"
  | "stream_open"
  | "stream_push"
  | "stream_close"
  | "health"
  | "metrics"
  | "shutdown";

/** The child's answer to the request `id`. */
export interface Result {
  readonly type: "result";
  readonly id: RequestId;
  readonly result: WireMap;
}

/** The child's refusal of the request `id`; null where it could not tell which. */
export interface Failure {
  readonly type: "failure";
  readonly id: RequestId | null;
  readonly error: WireError;
}

/** Something that the child tells unasked. */
export interface Notice {
  readonly type: "notice";
  readonly method: string;
  readonly params: WireMap;
}

export type FromChild = Result | Failure | Notice;

/** The payload with which a host asks for `method`, in pieces. */
export function encodeRequest(id: RequestId, method: Method, params: WireMap): Uint8Array[] {
  return packInPieces({ jsonrpc: JSONRPC, id, method, params });
}

/** The payload with which a host withdraws the request `id`. */
export function encodeCancel(id: RequestId): Uint8Array {
  return pack({ jsonrpc: JSONRPC, method: "cancel", params: { id } });
}

/**
 * What the child said in `payload`; unknown fields are ignored.
 *
 * @throws {ParseError} the payload is nothing that a child of this protocol sends.
 */
export function decodeFromChild(payload: Uint8Array): FromChild {
  const message = unpack(payload);
  if (message.jsonrpc !== JSONRPC) {
    throw new ParseError(`jsonrpc must be "2.0", not ${JSON.stringify(message.jsonrpc)}`);
  }
  if (typeof message.method === "string") {
    return { type: "notice", method: message.method, params: readMap(message.params, "params") };
  }
  if (isMap(message.error)) {
    const id = message.id == null ? null : readRequestId(message.id);
    return { type: "failure", id, error: readError(message.error) };
  }
  if (isMap(message.result)) {
    return { type: "result", id: readRequestId(message.id), result: message.result };
  }
  const names = Object.keys(message).sort().join(", ");
  throw new ParseError(`neither a result nor an error nor a notification: ${names}`);
}

/**
 * The `error` of a response, or of an item of a batch.
 *
 * @throws {ParseError} it has no code or no message.
 */
export function readError(error: WireMap): WireError {
  if (!Number.isInteger(error.code) || typeof error.message !== "string") {
    throw new ParseError(`an error without a code and a message: ${Object.keys(error).join(", ")}`);
  }
  return {
    code: error.code as number,
    message: error.message,
    data: readMap(error.data, "error.data"),
  };
}

function readRequestId(value: unknown): RequestId {
  if (typeof value === "string" || (Number.isSafeInteger(value) && (value as number) >= 0)) {
    return value as RequestId;
  }
  throw new ParseError(`the id of a response must be an integer or a string, not ${String(value)}`);
}

function readMap(value: unknown, name: string): WireMap {
  if (value == null) return {};
  if (!isMap(value)) throw new ParseError(`${name} must be a map, not ${String(value)}`);
  return value;
}
