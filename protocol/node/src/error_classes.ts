/**
 * `speaker-sidecar/errors`: the errors alone. It needs nothing of Node, so a page can import it, too.
 */

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
} from "./errors.js";
export { restoreError } from "./error_transport.js";
export type { ErrorReport } from "./sidecar_error.js";
