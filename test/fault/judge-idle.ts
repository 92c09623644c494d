import type { IdleStretch } from './observer.ts';

/** A fault that was made, and how long after its end slots may stay unused. */
export interface PastFault {
  readonly name: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly recoveryMs: number;
}

/** Longest that a free slot and ready work may take to meet. */
export const meetWithinMs = 5_000;

/**
 * Free slots that stayed unused although work was ready. Nothing is judged while a fault is on, nor within its
 * recovery time; after that, and where there was none, no stretch may be longer than `meetWithinMs`.
 */
export function judgeIdle({
  idle,
  faults,
}: {
  readonly idle: readonly IdleStretch[];
  readonly faults: readonly PastFault[];
}): string[] {
  return idle.flatMap((stretch) => calmParts(stretch, faults).flatMap((part) => judgePart(part, faults)));
}

function judgePart({ fromMs, toMs }: IdleStretch, faults: readonly PastFault[]): string[] {
  const before = faults.filter((fault) => fault.toMs <= fromMs);
  const recoveredMs = Math.max(0, ...before.map((fault) => fault.toMs + fault.recoveryMs));
  if (toMs <= Math.max(recoveredMs, fromMs + meetWithinMs)) return [];
  const last = before.toSorted((a, b) => b.toMs - a.toMs)[0];
  const since = last ? `, ${fromMs - last.toMs} ms after ${last.name}` : '';
  return [
    `a slot was free and work ready for ${toMs - fromMs} ms from ${new Date(fromMs).toISOString()} on${since}`,
  ];
}

/** What is left of a stretch outside of all faults. */
function calmParts(stretch: IdleStretch, faults: readonly PastFault[]): IdleStretch[] {
  let parts = [stretch];
  for (const fault of faults) {
    parts = parts
      .flatMap((part) => [
        { fromMs: part.fromMs, toMs: Math.min(part.toMs, fault.fromMs) },
        { fromMs: Math.max(part.fromMs, fault.toMs), toMs: part.toMs },
      ])
      .filter(({ fromMs, toMs }) => toMs > fromMs);
  }
  return parts;
}
