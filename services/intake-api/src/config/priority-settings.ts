import type { z } from 'zod';
import { priorities } from '@diq/contracts/priority.ts';
import { defaultHeadStartMs, type OrderSettings } from '@diq/queue/scheduling/order.ts';
import { duration, flag, SettingsError } from '@diq/runtime/settings/read-settings.ts';

const yearMs = 365 * 24 * 3_600_000;
const headStart = () => duration({ minMs: 0, maxMs: yearMs });

/** What decides who goes before whom. */
export const orderShape = {
  PRIORITY_HEAD_START_CRITICAL: headStart().default(defaultHeadStartMs.critical),
  PRIORITY_HEAD_START_HIGH: headStart().default(defaultHeadStartMs.high),
  PRIORITY_HEAD_START_MEDIUM: headStart().default(defaultHeadStartMs.medium),
  FAIR_SOURCES: flag().prefault('on'),
};

/** The part of it that is the same for all queues. */
export type PrioritySettings = Pick<OrderSettings, 'headStartMs' | 'fairSources'>;

type OrderShape = z.output<z.ZodObject<typeof orderShape>>;

/** @throws SettingsError for each class with a shorter head start than the one that is less urgent. */
export function prioritySettingsOf(settings: OrderShape): PrioritySettings {
  const headStartMs = {
    critical: settings.PRIORITY_HEAD_START_CRITICAL,
    high: settings.PRIORITY_HEAD_START_HIGH,
    medium: settings.PRIORITY_HEAD_START_MEDIUM,
    low: 0,
  };
  const faults = priorities.flatMap((priority, i) => {
    const lessUrgent = priorities[i + 1];
    if (lessUrgent === undefined || headStartMs[priority] >= headStartMs[lessUrgent]) return [];
    return `PRIORITY_HEAD_START_${priority.toUpperCase()}: shorter than that of ${lessUrgent} (expected at least as long)`;
  });
  if (faults.length > 0) throw new SettingsError(faults);
  return { headStartMs, fairSources: settings.FAIR_SOURCES };
}
