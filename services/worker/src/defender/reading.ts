/**
 * Why Defender's books could not be read. Never free text, never a secret. `paced`: the read was not made, because the tenant's
 * budget of reads is used up, or Redis cannot be asked for it.
 */
export type ReadFailure =
  | 'paced'
  | 'token_rejected'
  | 'not_allowed'
  | 'throttled'
  | 'server_error'
  | 'unexpected_answer'
  | 'unknown_coding'
  | 'too_long'
  | 'too_many_pages'
  | 'foreign_link'
  | 'timeout'
  | 'connection'
  | 'closed';

export interface Unreadable {
  readonly kind: 'unreadable';
  readonly reason: ReadFailure;
  /** Of an answer that is no list. */
  readonly httpStatus?: number;
  /** How long Defender asked to be left alone; of a read that was not made, when one can be. */
  readonly retryAfterMs?: number;
}

/** For a list that has to be read, however long that takes. Without it a read that is refused by the budget ends the list. */
export interface Patience {
  /** Waits for the budget; called before each wait, with the pages read so far. */
  readonly onWait?: (wait: { readonly pages: number; readonly forMs: number }) => void;
}

/** A 404. Only with Defender's own code it is Defender's word: a gateway's, or that of a wrong address, has none. */
export interface NotFound {
  readonly kind: 'not_found';
  /** Of Defender's error document. */
  readonly errorCode?: string;
}

/** What a read gave. Only `read` and `not_found` are statements of Defender's. */
export type Reading<T> = { readonly kind: 'read'; readonly value: T } | NotFound | Unreadable;

export function unreadable(reason: ReadFailure): Unreadable {
  return { kind: 'unreadable', reason };
}
