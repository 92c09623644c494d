import { z } from 'zod';
import { callbackErrors, callbackStates } from '@diq/contracts/callback-state.ts';
import type { CallbackState } from '@diq/contracts/callback-state.ts';

/** What was tried so far to deliver one piece of news; JSON in the field `delivery` of its request or batch. */
export const deliveryRecord = z.object({
  /** The news it is about: see `StoredCallback.about`. */
  about: z.string(),
  state: z.enum(callbackStates).exclude(['pending']),
  attempts: z.number(),
  firstAttemptAtMs: z.number(),
  lastAttemptAtMs: z.number(),
  lastStatus: z.number().optional(),
  lastError: z.enum(callbackErrors).optional(),
});

export type DeliveryRecord = z.output<typeof deliveryRecord>;

/** The callback of a request or batch. */
export interface StoredCallback {
  /** Whole: its path and query may be secrets of the receiver, and are not for answers or logs. */
  url: string;
  /** What there is to tell: a request's status, the time at which a batch was completed. */
  about: string;
  /** `undefined` as long as nothing was tried for just this news: a request that was opened again has news again. */
  delivery: DeliveryRecord | undefined;
  /** Of the news that the result of the request has ended, or all results of the batch. */
  endDelivery?: DeliveryRecord | undefined;
}

/** Reads the fields `callback` and `delivery` of a request's or batch's hash; `undefined` without a callback URL. */
export function parseStoredCallback(
  hash: Readonly<Record<string, string>>,
  about: string,
): StoredCallback | undefined {
  const url = hash['callback'];
  if (url === undefined || url === '') return undefined;
  const delivery =
    hash['delivery'] === undefined ? undefined : deliveryRecord.parse(JSON.parse(hash['delivery']));
  const ended = hash['endDelivery'];
  return {
    url,
    about,
    delivery: delivery?.about === about ? delivery : undefined,
    ...(ended === undefined ? {} : { endDelivery: deliveryRecord.parse(JSON.parse(ended)) }),
  };
}

/** The callback about the end of the result, or of all results of a batch, once there was one. */
export const describeEndCallback = (
  { url, about, endDelivery }: StoredCallback,
  hasEnded: boolean,
): CallbackState | undefined =>
  hasEnded || endDelivery ? describeCallback({ url, about, delivery: endDelivery }) : undefined;

/** A callback as its request or batch tells it. */
export function describeCallback({ url, delivery }: StoredCallback): CallbackState {
  const shown = { url: new URL(url).origin };
  if (!delivery) return { ...shown, state: 'pending', attempts: 0 };
  const { state, attempts, lastStatus, lastError, lastAttemptAtMs } = delivery;
  const lastAttemptAt = new Date(lastAttemptAtMs).toISOString();
  return {
    ...shown,
    state,
    attempts,
    ...(lastStatus === undefined ? {} : { lastStatus }),
    ...(lastError === undefined ? {} : { lastError }),
    lastAttemptAt,
    ...(state === 'delivered' ? { deliveredAt: lastAttemptAt } : {}),
  };
}
