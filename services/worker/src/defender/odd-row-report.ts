import type { Logger } from '@diq/runtime/logging/logger.ts';
import { lists, type DefenderReaderOptions, type ListName } from './defender-reader.ts';

/** The same rows come back with every look at a machine: one line in this time says it. */
const lineEveryMs = 60_000;

/** Counts the rows that cannot be read, and says so in at most one line a minute for each list. */
export function createOddRowReport(
  counter: { inc(labels: { list: ListName }, rows: number): void },
  logger: Pick<Logger, 'warn'>,
  nowMs: () => number = () => performance.now(),
): NonNullable<DefenderReaderOptions['onOddRows']> {
  const silentUntilMs = new Map<ListName, number>(lists.map((list) => [list, -Infinity]));
  return (list, { odd, read }) => {
    counter.inc({ list }, odd);
    if (nowMs() < (silentUntilMs.get(list) ?? 0)) return;
    silentUntilMs.set(list, nowMs() + lineEveryMs);
    logger.warn(
      { list, unreadable: odd, read },
      "rows of Defender's list cannot be read and are passed over",
    );
  };
}
