/** What every error of this package is: its parts, its identity, and its text. */

// One for all copies of this package in a process: as ESM, as CommonJS, in somebody's bundle.
const LINEAGE = Symbol.for("speaker-sidecar.error");

/** An error as plain data: what `toJSON` gives, and `restoreError` takes. */
export interface ErrorReport {
  readonly name: string;
  readonly code: number | null;
  readonly kind: string;
  readonly message: string;
  readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>>;
}

/**
 * A request's failure. It is abstract: what is thrown is always a class that names the fault.
 *
 * `instanceof` goes by the class's name, not by its constructor: an error of the CommonJS build is
 * one for who imports the ESM build, and one of a bundle for everybody.
 */
export abstract class SidecarError extends Error {
  /** The class's name, in words that no minifier changes. */
  static readonly errorName: string = "SidecarError";
  /** The wire's code, below 0; null if the failure is the client's and never was on the wire. */
  static readonly code: number | null = null;
  static readonly defaultKind: string;
  static readonly retryable: boolean = false;

  /** The wire's code, or null. */
  readonly code: number | null;
  /** A stable word for programs, narrower than the code. */
  readonly kind: string;
  /** Whether the same request, sent again later or to a new child, may succeed. */
  readonly retryable: boolean;
  /** Further fields of the wire's `error.data` (limits, sizes ...), their names in camelCase. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    message: string,
    kind?: string,
    details: Readonly<Record<string, unknown>> = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
    const own = new.target as unknown as typeof SidecarError;
    this.name = own.errorName;
    this.code = own.code;
    this.kind = kind ?? own.defaultKind;
    this.retryable = own.retryable;
    this.details = details;
    headStack(this, this);
  }

  /** Whether `value` is of this class, or of one below it. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    // An app's own class below one of these has no name here.
    if (!Object.hasOwn(this, "errorName")) {
      return Function.prototype[Symbol.hasInstance].call(this, value);
    }
    const lineage: unknown = (value as { [LINEAGE]?: unknown } | null | undefined)?.[LINEAGE];
    return Array.isArray(lineage) && lineage.includes(this.errorName);
  }

  /** The names of its class and of those above. */
  get [LINEAGE](): string[] {
    const names: string[] = [];
    let own = this.constructor as typeof SidecarError | null;
    for (; own?.errorName !== undefined; own = Object.getPrototypeOf(own)) {
      names.push(own.errorName);
    }
    return names;
  }

  /** Its parts as plain data: what can be sent anywhere, and made an error again there. */
  toJSON(): ErrorReport {
    const { name, code, kind, message, retryable, details } = this;
    return { name, code, kind, message, retryable, details };
  }

  /** `BadAudio [too_short]: ...`: what Electron carries from a handler to the page. */
  override toString(): string {
    const { name, kind, message } = this;
    const { defaultKind } = this.constructor as typeof SidecarError;
    return `${name}${kind === defaultKind ? "" : ` [${kind}]`}: ${message}`;
  }
}

/** Where a call was made: an error that comes later tells of this place, not of a pipe's. */
export interface CallSite {
  readonly stack?: string;
}

/** The place from which `callee` was called. */
export function callSite(callee: (...args: never[]) => unknown): CallSite {
  const site = {};
  Error.captureStackTrace(site, callee);
  return site;
}

/** `error` as the one of the call that was made at `site`; several calls may share it until then. */
export function atCallSite(error: unknown, site: CallSite): unknown {
  if (!(error instanceof SidecarError)) return error;
  const { message, kind, details, code, retryable, cause } = error;
  const Own = error.constructor as new (...args: unknown[]) => SidecarError;
  const own = new Own(message, kind, details, cause === undefined ? undefined : { cause });
  headStack(Object.assign(own, { code, retryable }), site);
  return own;
}

/** Give `error` the frames of `place`, under its own text: a structured clone keeps nothing else. */
function headStack(error: SidecarError, place: CallSite): void {
  const frames = /\n {4}at [^]*$/.exec(place.stack ?? "");
  Object.defineProperty(error, "stack", {
    value: `${String(error)}${frames?.[0] ?? ""}`,
    writable: true,
    configurable: true,
  });
}
