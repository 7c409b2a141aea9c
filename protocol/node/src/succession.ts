/** What follows the end of a child: by the policy, by the app's own decision, and in words. */

import type { ChildEnd } from "./child.js";
import { isFinal, type LastWords } from "./endings.js";
import type { ExitDecision, ExitReport } from "./events.js";
import { RestartPolicy, type Restart } from "./restart_policy.js";

/** Why a child ends, where we wanted it to. */
export type Leave = "closed" | "replaced" | "refused" | null;

/** What follows: another child, or none; and what is told of the end. */
export interface Next {
  readonly restart: Restart | null;
  readonly exit: ExitReport;
  /** None follows, and the last one's reason is not the whole of it. */
  readonly isTiredOut: boolean;
}

const AT_ONCE: Restart = { delayMs: 0, device: null, proveFirst: false };

export class Succession {
  readonly policy: RestartPolicy;

  constructor(
    delaysMs: readonly number[],
    random: () => number,
    private readonly decide: ((exit: ExitReport) => ExitDecision | void) | undefined,
  ) {
    this.policy = new RestartPolicy(delaysMs, random);
  }

  /** `leave`: why it ends, where that was wanted; `lastWords`: what it said. */
  after(end: ChildEnd, lastWords: LastWords, leave: Leave): Next {
    const { pid, code, signal } = end;
    const isLast = isFinal(end) || lastWords.permanentFault !== null || leave === "refused";
    const byPolicy = leave === null && !isLast ? this.byPolicy(end, lastWords) : null;
    const wanted = leave === "replaced" ? AT_ONCE : byPolicy;
    const report: ExitReport = {
      pid,
      code,
      signal,
      kind: leave === "closed" || leave === "replaced" ? leave : lastWords.kind(end),
      reason: REASONS[leave ?? ""] ?? lastWords.reason(end),
      willRestart: wanted !== null,
    };
    const restart = leave === null ? this.byTheApp(report, wanted) : wanted;
    return {
      restart,
      exit: { ...report, willRestart: restart !== null },
      isTiredOut: wanted === null && !isLast && end.spawnError === null,
    };
  }

  private byPolicy(end: ChildEnd, lastWords: LastWords): Restart | null {
    if (end.spawnError !== null) return this.policy.notStarted();
    return this.policy.died({ isDeviceFault: lastWords.isDeviceFault(end) });
  }

  private byTheApp(exit: ExitReport, wanted: Restart | null): Restart | null {
    const decided = this.decided(exit);
    if (decided === "stop") return null;
    return decided === "restart" ? (wanted ?? this.policy.again()) : wanted;
  }

  private decided(exit: ExitReport): ExitDecision | void {
    try {
      return this.decide?.(exit);
    } catch (error) {
      // As from a listener: it must not stop us halfway.
      queueMicrotask(() => {
        throw error;
      });
      return undefined;
    }
  }
}

const REASONS: Readonly<Record<string, string>> = {
  closed: "it was closed",
  replaced: "another one was asked for",
};
