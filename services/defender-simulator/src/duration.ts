const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

/** Milliseconds of `250`, `250ms`, `10s`, `15m` or `1h`; undefined for anything else. */
export function durationMs(text: string): number | undefined {
  const match = /^(\d+)(ms|s|m|h)?$/.exec(text.trim());
  if (match === null) return undefined;
  const unit = (match[2] ?? 'ms') as keyof typeof unitMs;
  return Number(match[1]) * unitMs[unit];
}
