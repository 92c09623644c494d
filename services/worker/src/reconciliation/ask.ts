import type { DefenderReader, Reading } from '../defender/defender-reader.ts';

/** Why a look gave no answer. */
export interface LookFailure {
  readonly kind: 'unreadable';
  readonly reason: string;
  readonly retryAfterMs?: number;
  /** The end of a sentence for the requests that end because of it: why Defender could not be asked. */
  readonly because?: string;
}

/** Ends a look in the middle: without all answers there is no finding. */
export class NotReadable extends Error {
  override readonly name = 'NotReadable';
  readonly why: LookFailure;

  constructor(why: LookFailure) {
    super(why.reason);
    this.why = why;
  }
}

/** @returns `undefined` where Defender says that there is none */
export function readOrThrow<T>(reading: Reading<T>): T | undefined {
  if (reading.kind === 'unreadable') throw new NotReadable(reading);
  return reading.kind === 'read' ? reading.value : undefined;
}

/**
 * One read of a look; `undefined` where Defender says that there is none.
 *
 * @throws NotReadable
 */
export type Ask = <T>(
  read: (reader: DefenderReader, token: string) => Promise<Reading<T>>,
) => Promise<T | undefined>;

/** Rows that cannot be read may hold what is looked for: that proves nothing, and must not lead to another call. */
export const oddRows = { kind: 'unreadable', reason: 'odd_rows' } as const;
