/** Ids from `low` on, and before `high`: they begin with their time. */
export interface IdRange {
  low: string;
  high: string;
}

/** Behind every id. */
const lastId = 'g';
/** An id is made after the time of its request was read, and ids do not follow a clock at once that is set back by up to 10 s. */
const idsLateByMs = 15_000;
/** And hardly before. */
const idsEarlyByMs = 1_000;
/** What UUIDs of version 7 begin with: 48 bits. */
const latestMs = 2 ** 48 - 1;

/** The ids of what was asked for in a span of time, and some seconds around it. */
export function idRange({
  fromMs,
  toMs,
}: {
  fromMs?: number | undefined;
  toMs?: number | undefined;
}): IdRange {
  return {
    low: fromMs === undefined ? '' : idAt(fromMs - idsEarlyByMs),
    high: toMs === undefined ? lastId : idAt(toMs + idsLateByMs),
  };
}

function idAt(timeMs: number): string {
  const hex = Math.min(latestMs, Math.max(0, Math.floor(timeMs)))
    .toString(16)
    .padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}`;
}

/** Bounds of BYLEX for members that are a prefix and an id: the first is inclusive, the second is not. */
export function boundsOf(prefix: string, { low, high }: IdRange): [string, string] {
  return [`[${prefix}${low}`, `(${prefix}${high}`];
}

/** The end of a range, or the position in it behind which a walk goes on. */
export function below(position: string | undefined, { high }: IdRange): string {
  return position === undefined || position > high ? high : position;
}
