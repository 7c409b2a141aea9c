/** Speaker embeddings for Electron and Node. README.md has an example. */

export { SpeakerSidecar } from "./sidecar";
export type * from "./options";
export type {
  Audio,
  AudioBufferLike,
  BufferedAudio,
  Crop,
  FileAudio,
  PathAudio,
  SampledAudio,
  Segment,
} from "./audio";
export { cosine, type StoredEmbedding, type Voice } from "./voice";
export type { Enrolment, ExportOptions, ForgetOptions, ImportOptions, People } from "./people";
export type { OnProgress } from "./request";
export type { BatchItem, BatchItems } from "./results";
export type { ExitReport, LogLine, RestartReport, SidecarEvents } from "./events";
export type * from "./diarization_reports";
export type * from "./live_reports";
export type { Live } from "./live";
export type * from "./people_reports";
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
  GalleryUnavailable,
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
  UnknownPerson,
  UnknownStream,
} from "./errors";
export { closeBeforeQuit, type QuittingApp } from "./electron";
export { findCommand, type FindOptions, type FoundCommand } from "./find_command";
export { PROTOCOL, PROTOCOL_MINOR } from "./messages";
