/** Units of 100 ns between 0001-01-01 and 1970-01-01, both UTC. */
const unixEpochTicks = 621_355_968_000_000_000n;

/** .NET ticks of a wall-clock time; `fraction` (0 to 9,999) is what lies below the millisecond. */
export function ticksOf(wallMs: number, fraction = 0): bigint {
  return BigInt(Math.floor(wallMs)) * 10_000n + unixEpochTicks + BigInt(fraction);
}

/** ISO 8601 with the seven decimals that Defender writes, trailing zeros left out. */
export function isoOfTicks(ticks: bigint): string {
  const sinceUnix = ticks - unixEpochTicks;
  const seconds = new Date(Number(sinceUnix / 10_000n)).toISOString().slice(0, 19);
  const decimals = String(sinceUnix % 10_000_000n)
    .padStart(7, '0')
    .replace(/0+$/, '');
  return decimals === '' ? `${seconds}Z` : `${seconds}.${decimals}Z`;
}
