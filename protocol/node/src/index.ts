/** Speaker embeddings for Electron and Node. README.md has an example. */

export { SpeakerSidecar } from "./sidecar";
export type {
  CallOptions,
  EmbedManyOptions,
  EmbedOptions,
  EmbedWindowsOptions,
  SidecarEvents,
  StartOptions,
} from "./sidecar";
export type {
  Audio,
  AudioBufferLike,
  BufferedAudio,
  Crop,
  FileAudio,
  PathAudio,
  SampledAudio,
  Segment,
  StoredEmbedding,
} from "./audio";
export type { OnProgress } from "./request";
export type { BatchItem, BatchItems } from "./results";
export type { ExitReport, LogLine, RestartReport } from "./events";
export type * from "./reports";
export {
  BadAudio,
  Cancelled,
  ChildGone,
  Closed,
  CommandNotFound,
  DeadlineExceeded,
  DeviceError,
  Draining,
  FramingError,
  IncompatibleEmbeddings,
  InternalError,
  InvalidParams,
  InvalidRequest,
  KillsChild,
  MethodNotFound,
  ModelUnavailable,
  OutOfMemory,
  Overloaded,
  ParseError,
  ProtocolMismatch,
  SidecarError,
  UnknownError,
} from "./errors";
export { closeBeforeQuit, type QuittingApp } from "./electron";
export { findCommand, type FindOptions, type FoundCommand } from "./find_command";
export { PROTOCOL, PROTOCOL_MINOR } from "./messages";
