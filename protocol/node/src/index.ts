/** Speaker embeddings for Electron and Node. README.md has an example. */

export { SpeakerSidecar } from "./sidecar.js";
export type * from "./options.js";
export type {
  Audio,
  AudioBufferLike,
  BufferedAudio,
  Crop,
  FileAudio,
  PathAudio,
  SampledAudio,
  Segment,
} from "./audio.js";
export { cosine, type StoredEmbedding, type Voice } from "./voice.js";
export type { Enrolment, ExportOptions, ForgetOptions, ImportOptions, People } from "./people.js";
export type { OnProgress } from "./request.js";
export type { BatchItem, BatchItems } from "./results.js";
export type {
  ExitDecision,
  ExitReport,
  LogLine,
  RestartReport,
  SidecarEvents,
  SidecarState,
} from "./events.js";
export type * from "./diarization_reports.js";
export type * from "./live_reports.js";
export type { Live } from "./live.js";
export { speaking, type Speaking } from "./speaking.js";
export type * from "./people_reports.js";
export type * from "./reports.js";
export * from "./error_classes.js";
export { closeBeforeQuit, type QuitEvent, type QuittingApp } from "./electron.js";
export { findCommand, type FindOptions, type FoundCommand } from "./find_command.js";
export { PROTOCOL, PROTOCOL_MINOR } from "./messages.js";
