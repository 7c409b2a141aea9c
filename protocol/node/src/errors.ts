/**
 * The one error tree: every way in which a request can fail. Those of the wire carry its code; those
 * of the client itself, at the end, have none.
 */

import { camelCased, camelCasedName } from "./camel_case.js";
import { SidecarError } from "./sidecar_error.js";

export { SidecarError };

/** An error as it stands in a response and in an item of a batch. */
export interface WireError {
  readonly code: number;
  readonly message: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** The payload is not one well-formed msgpack value of this protocol. */
export class ParseError extends SidecarError {
  static override readonly errorName: string = "ParseError";
  static override readonly code: number = -32700;
  static override readonly defaultKind: string = "malformed";
}

/** A well-formed payload that is not a request. */
export class InvalidRequest extends SidecarError {
  static override readonly errorName: string = "InvalidRequest";
  static override readonly code = -32600;
  static override readonly defaultKind = "invalid_request";
}

/** A request for a method that the child's protocol version does not have. */
export class MethodNotFound extends SidecarError {
  static override readonly errorName: string = "MethodNotFound";
  static override readonly code = -32601;
  static override readonly defaultKind = "method_not_found";
}

/** Params that are missing, unknown, of the wrong type, or beyond the child's limits. */
export class InvalidParams extends SidecarError {
  static override readonly errorName: string = "InvalidParams";
  static override readonly code = -32602;
  static override readonly defaultKind = "invalid_params";
}

/** A fault of the child's own. */
export class InternalError extends SidecarError {
  static override readonly errorName: string = "InternalError";
  static override readonly code = -32603;
  static override readonly defaultKind = "internal";
}

/** The client's bounded queue is full (the child's own is waited for). */
export class Overloaded extends SidecarError {
  static override readonly errorName: string = "Overloaded";
  static override readonly code = -32001;
  static override readonly defaultKind = "overloaded";
  static override readonly retryable = true;
}

/** The child is shutting down and admits no more work. */
export class Draining extends SidecarError {
  static override readonly errorName: string = "Draining";
  static override readonly code = -32003;
  static override readonly defaultKind = "draining";
  static override readonly retryable = true;
}

/** The request's `deadlineMs` passed before its result was there. */
export class DeadlineExceeded extends SidecarError {
  static override readonly errorName: string = "DeadlineExceeded";
  static override readonly code = -32004;
  static override readonly defaultKind = "deadline_exceeded";
}

/** The request's signal was aborted; `cause` is the signal's reason. */
export class Cancelled extends SidecarError {
  static override readonly errorName: string = "Cancelled";
  static override readonly code = -32800;
  static override readonly defaultKind = "cancelled";
}

/** Audio that cannot be decoded, or that the model cannot embed. `kind` says which way. */
export class BadAudio extends SidecarError {
  static override readonly errorName: string = "BadAudio";
  static override readonly code = -32010;
  static override readonly defaultKind = "bad_audio";
}

/** The model's weights are absent, incomplete or damaged, and could not be fetched. */
export class ModelUnavailable extends SidecarError {
  static override readonly errorName: string = "ModelUnavailable";
  static override readonly code = -32011;
  static override readonly defaultKind = "model_unavailable";
}

/** Two embeddings whose fingerprints differ: they lie in different spaces. */
export class IncompatibleEmbeddings extends SidecarError {
  static override readonly errorName: string = "IncompatibleEmbeddings";
  static override readonly code = -32012;
  static override readonly defaultKind = "incompatible_embeddings";
}

/** Nobody of that id is enrolled, or no print of that id is that person's. */
export class UnknownPerson extends SidecarError {
  static override readonly errorName: string = "UnknownPerson";
  static override readonly code = -32013;
  static override readonly defaultKind = "unknown_person";
}

/** The gallery's file cannot be read or written, or is none. */
export class GalleryUnavailable extends SidecarError {
  static override readonly errorName: string = "GalleryUnavailable";
  static override readonly code = -32014;
  static override readonly defaultKind = "gallery_unavailable";
}

/** No stream of that name is open: it was closed, or hearing it has failed. */
export class UnknownStream extends SidecarError {
  static override readonly errorName: string = "UnknownStream";
  static override readonly code = -32015;
  static override readonly defaultKind = "unknown_stream";
}

/** The compute device failed. */
export class DeviceError extends SidecarError {
  static override readonly errorName: string = "DeviceError";
  static override readonly code = -32020;
  static override readonly defaultKind = "device_error";
  static override readonly retryable = true;
}

/** The device has too little memory for this request alone. */
export class OutOfMemory extends SidecarError {
  static override readonly errorName: string = "OutOfMemory";
  static override readonly code = -32021;
  static override readonly defaultKind = "out_of_memory";
}

/** A length prefix that cannot be: the stream is lost, and so is the child. */
export class FramingError extends ParseError {
  static override readonly errorName: string = "FramingError";
  static override readonly defaultKind = "frame_length";
}

/** An error of the wire whose code this version does not know. */
export class UnknownError extends SidecarError {
  static override readonly errorName: string = "UnknownError";
  static override readonly defaultKind = "unknown";
}

/**
 * No child serves any more: it could not be started, or died too often; start a new sidecar. Or one
 * died that may have changed its gallery of people as it was asked to.
 */
export class ChildGone extends SidecarError {
  static override readonly errorName: string = "ChildGone";
  static override readonly defaultKind: string = "child_gone";
}

/** The child speaks another version of the protocol. */
export class ProtocolMismatch extends ChildGone {
  static override readonly errorName: string = "ProtocolMismatch";
  static override readonly defaultKind = "protocol_mismatch";
}

/** Each child that was given this request alone died of it. */
export class KillsChild extends SidecarError {
  static override readonly errorName: string = "KillsChild";
  static override readonly defaultKind = "kills_child";
}

/** `close` was called. */
export class Closed extends SidecarError {
  static override readonly errorName: string = "Closed";
  static override readonly defaultKind = "closed";
}

/** There is no program to start where it was looked for. */
export class CommandNotFound extends SidecarError {
  static override readonly errorName: string = "CommandNotFound";
  static override readonly defaultKind = "command_not_found";
}

/** A class that can be thrown. */
export type ConcreteError = (new (
  message: string,
  kind?: string,
  details?: Readonly<Record<string, unknown>>,
  options?: ErrorOptions,
) => SidecarError) & { readonly errorName: string; readonly code: number | null };

/** Those that stand for a code of the wire. */
export const OF_THE_WIRE: readonly ConcreteError[] = [
  ParseError,
  InvalidRequest,
  MethodNotFound,
  InvalidParams,
  InternalError,
  Overloaded,
  Draining,
  DeadlineExceeded,
  Cancelled,
  BadAudio,
  ModelUnavailable,
  IncompatibleEmbeddings,
  UnknownPerson,
  GalleryUnavailable,
  UnknownStream,
  DeviceError,
  OutOfMemory,
];

/** Those of the client itself. */
export const OF_THE_CLIENT: readonly ConcreteError[] = [
  FramingError,
  UnknownError,
  ChildGone,
  ProtocolMismatch,
  KillsChild,
  Closed,
  CommandNotFound,
];

/** The wire's error as an instance of its class. */
export function errorFromWire({ code, message, data }: WireError): SidecarError {
  const { kind, retryable, ...rest } = data;
  const named = OF_THE_WIRE.find((candidate) => candidate.code === code) ?? UnknownError;
  const kindWord = typeof kind === "string" ? kind : undefined;
  const namesParams = code === InvalidParams.code || kind === "bad_crop";
  const text = namesParams ? inOurWords(message) : message;
  const error = new named(text, kindWord, camelCased(rest) as Record<string, unknown>);
  // What the child says counts: a later minor version may know better than this class.
  return Object.assign(error, {
    code,
    retryable: typeof retryable === "boolean" ? retryable : error.retryable,
  });
}

/** The names of the wire's params as the app wrote them: `params.audio.start_s` is `audio.startS`. */
function inOurWords(message: string): string {
  return message
    .replace(/\bparams\./g, "")
    .replace(/\b[a-z0-9]+(?:_[a-z0-9]+)+\b/g, (name) => camelCasedName(name));
}
