/** The main process's answers, as a page has them. */

import type { Answer, Bridge, SentError } from "./bridge.js";
import { restoreError } from "./error_classes.js";

/** What the preload script has given to the page. */
export function bridgeOf(): Bridge {
  const { speakerSidecar } = globalThis as { speakerSidecar?: Bridge };
  if (speakerSidecar !== undefined) return speakerSidecar;
  throw new Error("there is no window.speakerSidecar: the window's preload script must expose it");
}

/** What a call gave; what it failed with is thrown. */
export function valueOf<T>(answer: Answer<T>): T {
  if ("error" in answer) throw errorOf(answer.error);
  return answer.value;
}

/** As it was in the main process: one of the package's classes, which `speaker-sidecar/errors` has. */
export function errorOf(sent: SentError): Error {
  const { name, kind, message } = sent;
  return restoreError(sent) ?? Object.assign(new Error(message), { name, kind });
}
