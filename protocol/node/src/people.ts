/** The gallery of people: whom the child knows by voice. */

import { checkFlag, checkOption } from "./argument_checks.js";
import { audioToWire, isUint8Array, type Audio } from "./audio.js";
import { ChildGone, ParseError } from "./errors.js";
import type { Method } from "./messages.js";
import type {
  CallOptions,
  IdentifyOptions,
  LongCallOptions,
  ScoreOptions,
  SpeechOptions,
} from "./options.js";
import type { WireMap } from "./payload.js";
import type { EnrollResult, ForgetResult, IdentifyResult, ImportResult } from "./people_reports.js";
import type { PersonDetails, PersonReport, VerifyResult } from "./people_reports.js";
import type { Hello } from "./reports.js";
import type { RequestOptions } from "./request.js";
import { readPlain } from "./results.js";
import {
  embeddingToWire,
  isStored,
  voiceToWire,
  type StoredEmbedding,
  type Voice,
} from "./voice.js";
import { demand, scoreParams, speechParams } from "./wire_options.js";

/** A voice of a new person, or with `id` more of one who is enrolled. */
export interface Enrolment {
  /** One line; needed of a new person. */
  readonly name?: string | undefined;
  readonly id?: string | undefined;
  /** Exactly one of `audio` and `embeddings` must be there. */
  readonly audio?: Audio | undefined;
  /** Each must know of how much speech it was made, as an `EmbedResult` does. */
  readonly embeddings?: readonly StoredEmbedding[] | undefined;
}

/** Options of `forget`. */
export interface ForgetOptions extends CallOptions {
  /** Only this one of the person's prints. */
  readonly print?: string | undefined;
}

/** Options of `export`. */
export interface ExportOptions extends CallOptions {
  /** Whom to export. Default: everybody. */
  readonly ids?: readonly string[] | undefined;
}

/** Options of `import`. */
export interface ImportOptions extends CallOptions {
  /** Whether who is there already is replaced, or stays. Default: false. */
  readonly replace?: boolean | undefined;
}

/** What is asked of the child: a method, and how. */
export type Ask = [
  method: Method,
  params: WireMap,
  request: RequestOptions,
  options: LongCallOptions,
];

// They need the child's model, if only to know which prints are of it.
const READS = { nAudios: 0, needsModel: true } as const;
const CHANGES = { ...READS, once: true } as const;

/**
 * A child without `--gallery FILE` has its people in memory: they are gone when it dies, and the
 * next one begins with nobody.
 *
 * What changes the gallery is sent once: if the child dies before it answers, nobody knows whether
 * it was done, and the call is rejected with `ChildGone`. Every method throws `MethodNotFound` where
 * the child is older than contract 1.2.
 */
export class People {
  constructor(
    private readonly hello: () => Hello,
    private readonly ask: (...call: Ask) => Promise<WireMap>,
  ) {}

  /** Enrol a person, or more of one; the result says what is missing for a print, if anything is. */
  async enroll(enrolment: Enrolment, options: SpeechOptions = {}): Promise<EnrollResult> {
    const { name, id, audio, embeddings } = enrolment;
    const hello = this.hello();
    const params = {
      name,
      id,
      audio: audio === undefined ? undefined : audioToWire(audio),
      embeddings: embeddings?.map((one, index) =>
        embeddingToWire(one, hello.protocolMinor, `embeddings[${index}]`),
      ),
      ...speechParams(options, hello),
      deadline_ms: options.deadlineMs,
    };
    const nAudios = audio === undefined ? 0 : 1;
    return readPlain(await this.call("enroll", params, { ...CHANGES, nAudios }, options));
  }

  /** Everybody, in the order of their enrolment. */
  async list(options: CallOptions = {}): Promise<PersonReport[]> {
    const pages = await this.pages("people", {}, options);
    return pages.flatMap((page) => readPlain<{ people: PersonReport[] }>(page).people);
  }

  /** One person with the prints. */
  async get(id: string, options: CallOptions = {}): Promise<PersonDetails> {
    return readPlain(await this.call("person", { id }, READS, options));
  }

  /** Another name for the same voice. */
  async rename(id: string, name: string, options: CallOptions = {}): Promise<PersonReport> {
    return readPlain(await this.call("rename_person", { id, name }, CHANGES, options));
  }

  /** Forget a person with everything that was kept, or one print; nothing of it remains. */
  async forget(id: string, options: ForgetOptions = {}): Promise<ForgetResult> {
    const params = { id, print: options.print };
    return readPlain(await this.call("forget_person", params, CHANGES, options));
  }

  /** Whether a voice is that of the person `id`. */
  async verify(id: string, audio: Voice, options: ScoreOptions = {}): Promise<VerifyResult> {
    const params = { id, ...this.compared(audio, options) };
    const nAudios = isStored(audio) ? 0 : 1;
    return readPlain(await this.call("verify", params, { ...READS, nAudios }, options));
  }

  /** Whose voice it is; `person` is null where it is nobody's of the gallery. */
  async identify(audio: Voice, options: IdentifyOptions = {}): Promise<IdentifyResult> {
    const { top, adapt } = options;
    checkOption("top", top, { least: 1, most: 1_000, isWhole: true });
    checkFlag("adapt", adapt);
    const params = { ...this.compared(audio, options), top, adapt };
    const request = { ...(adapt === true ? CHANGES : READS), nAudios: isStored(audio) ? 0 : 1 };
    return readPlain(await this.call("identify", params, request, options));
  }

  /**
   * Everybody, or some people, as bytes for `import`: one piece, or several of a large gallery.
   * They are as secret as the voices are.
   */
  async export(options: ExportOptions = {}): Promise<Uint8Array[]> {
    const pages = await this.pages("export_people", { ids: options.ids }, options);
    return pages.map(({ data }) => {
      if (!isUint8Array(data)) throw new ParseError("an export has no data");
      // A copy: it is a view of the frame that brought it.
      return Uint8Array.from(data);
    });
  }

  /** Take in what `export` gave: each piece all or nothing. */
  async import(
    data: Uint8Array | Iterable<Uint8Array>,
    options: ImportOptions = {},
  ): Promise<ImportResult> {
    let [added, replaced, kept] = [0, 0, 0];
    for (const piece of isUint8Array(data) ? [data] : data) {
      const params = { data: piece, replace: options.replace };
      const result = readPlain<ImportResult>(
        await this.call("import_people", params, CHANGES, options),
      );
      added += result.added;
      replaced += result.replaced;
      kept += result.kept;
    }
    return { added, replaced, kept };
  }

  private compared(audio: Voice, options: ScoreOptions): WireMap {
    const hello = this.hello();
    return {
      audio: voiceToWire(audio, hello.protocolMinor),
      ...scoreParams(options, hello),
      deadline_ms: options.deadlineMs,
    };
  }

  /** All answers to `method`, each of which names where the next one begins. */
  private async pages(method: Method, params: WireMap, options: CallOptions): Promise<WireMap[]> {
    const pages: WireMap[] = [];
    let instance: string | null = null;
    for (let after: unknown = undefined; ; after = pages.at(-1)!.next) {
      if (pages.length > 0 && after == null) return pages;
      pages.push(await this.call(method, { ...params, after }, READS, options));
      // Of another child's gallery this would be another part.
      instance ??= this.hello().instance;
      if (this.hello().instance !== instance) {
        throw new ChildGone("another child took over halfway: ask for all of it again");
      }
    }
  }

  private async call(
    method: Method,
    params: WireMap,
    request: RequestOptions,
    options: CallOptions,
  ): Promise<WireMap> {
    demand(this.hello(), "people", `the gallery's method ${method}`);
    return this.ask(method, params, request, options);
  }
}
