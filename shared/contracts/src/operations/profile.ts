import type { z } from 'zod';

/** So many calls may start in any rolling window of this length; an operation can have several, which all hold. */
export interface Limit {
  readonly calls: number;
  readonly windowMs: number;
}

/** What a call starts at Defender. */
export const resultKinds = ['investigation', 'machineAction'] as const;

export type ResultKind = (typeof resultKinds)[number];

/** What a call started, or what already ran: its kind and Defender's id, an opaque text. */
export interface OperationResult {
  readonly kind: ResultKind;
  readonly id: string;
}

/** A machine action as Defender shows it, as far as it is of use here. */
export interface ShownAction {
  readonly id: string;
  /** The comment of the call that it was made by; `undefined` where Defender shows none. */
  readonly requestorComment: string | undefined;
  /** How far it goes: Quick or Full for a scan. `undefined` where Defender shows none. */
  readonly scope: string | undefined;
  /** The hash of the file that it is about; absent where Defender shows none. */
  readonly fileIdentifier?: string;
  /** Of a live response: `[{ command: { type, params: [{ key, value }] }, … }]`, unchecked; absent where Defender shows none. */
  readonly commands?: readonly unknown[];
}

/** What a successful answer names. */
export interface AnsweredResult extends OperationResult {
  /** Of a machine action: what Defender shows of it. It can be another caller's that is still pending. */
  readonly action?: ShownAction;
}

/** What callers ask beside machine and comment. Plain JSON, by the names of the profile's schema. */
export type Parameters = Readonly<Record<string, unknown>>;

/** How much a call can do to a machine; a caller needs the scope of the same name, and `submit` for `investigate`. */
export const risks = ['investigate', 'respond', 'irreversible'] as const;

export type Risk = (typeof risks)[number];

/** The nouns of an operation in the texts that callers and operators read. */
export interface Wording {
  /** Behind an article: "investigation". */
  readonly noun: string;
  /** The same with its article: "an investigation". */
  readonly one: string;
}

/**
 * In which of Defender's lists the calls of an operation are found: one whose answer was lost, and those of the last window
 * when the ledger is empty. A ledger that is rebuilt from the wrong list would be empty and break the limit.
 */
export type Records<P = Parameters> =
  | { readonly list: 'investigations' }
  | {
      readonly list: 'machineActions';
      /** `type` of the machine actions that this operation makes. */
      readonly type: string;
      /** Whether a machine action of this type that runs already does all that was asked for. */
      covers(action: ShownAction, parameters: P): boolean;
    };

/** A link to what a machine action brought. Defender has none until the action is complete. */
export interface Download {
  /** `package`: one for the action. `results`: one for each of its commands. */
  readonly kind: 'package' | 'results';
  /** Path below the base URL, ids encoded. Throws RangeError for an id that is no path segment. */
  path(actionId: string, index: number): string;
  /** How often Defender may be asked, where that is less than for other reads. */
  readonly limits?: readonly Limit[];
  /** For so long a link is handed out again before Defender is asked anew. */
  readonly goodForMs: number;
}

/**
 * Everything that differs between the Defender operations. Client, classifier, reconciler, cold start and intake read it
 * here and know no operation by name. One file per operation; `index.ts` lists them. How one is added:
 * docs/add-an-operation.md.
 */
export interface OperationProfile<P = Parameters> {
  /** As Defender calls it; in settings, keys, the API and metrics. */
  readonly name: string;
  /** A few words for people: what one call does. */
  readonly title: string;
  readonly wording: Wording;
  /** What Defender documents, per application and tenant; all of them hold at once. The first one is shown first. */
  readonly limits: readonly [Limit, ...Limit[]];
  /** Of the parameters; strict, so that nothing that a caller sent vanishes. */
  readonly parameters: z.ZodType<P>;
  /**
   * Requests for one machine share a call if this text is the same; empty where the machine alone decides. At most 100
   * characters of letters, digits and `-`.
   */
  coalescingKey(parameters: P): string;
  /** A result of less than REUSE_WINDOW ago serves a new request. Not where another operation can have undone it. */
  readonly isReusable: boolean;
  /** Path below the base URL, beginning with a slash, the machine id encoded. Throws RangeError for an id that is no path segment. */
  path(machineId: string): string;
  /** The JSON body of the call. Defender compares keys with exact case. */
  body(call: { readonly comment: string; readonly parameters: P }): Readonly<Record<string, unknown>>;
  /** Statuses with which Defender accepts the call. */
  readonly accepted: readonly number[];
  /** Answers that say that what was asked for is under way already. */
  readonly alreadyRunning: { readonly statuses: readonly number[]; readonly code: string };
  readonly resultKind: ResultKind;
  /** For how long a result is followed at most; after that its outcome is unknown. */
  readonly followForMs: number;
  /** Defender answers with 200 and the number of what it started; otherwise with 201 and the whole of it. */
  readonly answersNumber?: true;
  /** What was started, out of a parsed 2xx body; `undefined` when it cannot be read. */
  readResult(body: unknown): AnsweredResult | undefined;
  /**
   * Where Defender gives back what it was sent. `requestorComment`: the comment ends with a token by which a call whose
   * answer was lost is found for certain. `none`: it is matched by machine and time.
   */
  readonly correlation: 'requestorComment' | 'none';
  readonly records: Records<P>;
  /**
   * Operations with the same text act one at a time on a machine, in the order in which their requests were accepted, the
   * next one after the end of the one before. An operation that has it alone runs once at a time on a machine.
   */
  readonly order?: string;
  /**
   * How many Defender runs at once for the tenant, those that are pending included. One counts from its call until its end
   * was seen. `offlineCalls`: of these so many, at least one, may be for machines of which Defender gets no reports, which
   * keep their place until the machine is back.
   */
  readonly concurrency?: { readonly calls: number; readonly offlineCalls: number };
  /** Where Defender gives a link to what a machine action of this operation brought. */
  readonly download?: Download;
  /** Offered only where the tenant's operations name it: `all` leaves it out, and it is never the default. */
  readonly isOffByDefault?: true;
  /** The application role in Entra ID that the call needs. */
  readonly requiredRole: string;
  readonly risk: Risk;
  /** The operator's instructions for when Defender no longer offers the call, has it switched off, or refuses the application. */
  readonly advice: { readonly retired: string; readonly disabled: string; readonly forbidden: string };
}
