import { z } from 'zod';
import {
  operationQuotas,
  usualOperationNames,
  type OperationName,
  type Quota,
} from '@diq/contracts/operations.ts';
import { duration, positiveInt, SettingsError, wholeNumber } from '@diq/runtime/settings/read-settings.ts';
import { shortestLimit } from './limits.ts';

const second = 1_000;
const hour = 3_600 * second;
const day = 24 * hour;

/**
 * The settings that must be the same for intake and worker, out of which both make the key space, the quota and the
 * time for which things are kept. What one of them takes, the other takes too.
 */
export const quotaSettings = {
  AZURE_TENANT_ID: z.guid().describe('the tenant id, a GUID; the same for intake and worker'),
  DEFENDER_OPERATION: z.enum(usualOperationNames).default('initiateInvestigation'),
  DEFENDER_CALLS_PER_WINDOW: positiveInt({ max: 10_000 }).optional(),
  // A timer of Node's takes 24 days at most, and a permit is one.
  DEFENDER_WINDOW: duration({ minMs: 100, maxMs: 20 * day }).optional(),
  DEFENDER_CALL_TIMEOUT: duration({ minMs: 100, maxMs: 600 * second }).default(30 * second),
  QUOTA_RESERVE_CRITICAL: wholeNumber({ max: 9_999 }).default(0),
  RETENTION: duration({ minMs: hour }).default(30 * day),
};

/**
 * The operation's own limits, unless the settings name another one: that one takes their place.
 *
 * @throws SettingsError when only a part of one is named for an operation that has several
 */
export function quotaOf(settings: {
  DEFENDER_OPERATION: OperationName;
  DEFENDER_CALLS_PER_WINDOW?: number | undefined;
  DEFENDER_WINDOW?: number | undefined;
}): Quota {
  const { DEFENDER_CALLS_PER_WINDOW: calls, DEFENDER_WINDOW: windowMs, DEFENDER_OPERATION } = settings;
  const own = operationQuotas[DEFENDER_OPERATION];
  if (calls === undefined && windowMs === undefined) return own;
  if (calls !== undefined && windowMs !== undefined) return { limits: [{ calls, windowMs }] };
  const [only, ...further] = own.limits;
  if (only && further.length === 0)
    return { limits: [{ calls: calls ?? only.calls, windowMs: windowMs ?? only.windowMs }] };
  const missing = calls === undefined ? 'DEFENDER_CALLS_PER_WINDOW' : 'DEFENDER_WINDOW';
  throw new SettingsError([
    `${missing}: not set (expected both, since ${DEFENDER_OPERATION} has several limits)`,
  ]);
}

/**
 * Of the slots of each window, those that are kept for critical requests.
 *
 * @throws SettingsError when nothing would be left for the others
 */
export function reserveOf(
  settings: Parameters<typeof quotaOf>[0] & { QUOTA_RESERVE_CRITICAL: number },
): number {
  const { calls } = shortestLimit(quotaOf(settings).limits);
  const reserve = settings.QUOTA_RESERVE_CRITICAL;
  if (reserve < calls) return reserve;
  throw new SettingsError([
    `QUOTA_RESERVE_CRITICAL: ${reserve} is not below the quota of ${calls} (nothing would be left for the others)`,
  ]);
}
