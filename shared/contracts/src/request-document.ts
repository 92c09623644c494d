import { z } from 'zod';
import { priorities } from './priority.ts';
import { requestStatuses } from './status.ts';

const time = z.iso.datetime();

/**
 * Why a request did not end in a started investigation, or why that is not known yet. `defenderTarget` is Defender's own
 * tracking id, for support.
 */
export const requestError = z.strictObject({
  code: z.string(),
  message: z.string(),
  defenderTarget: z.string().optional(),
});

export type RequestError = z.output<typeof requestError>;

/** What one caller asked and what became of it: the public resource. Times are ISO 8601 UTC. */
export const requestDocument = z.strictObject({
  id: z.string(),
  batchId: z.string().optional(),
  machineId: z.string(),
  comment: z.string(),
  priority: z.enum(priorities),
  source: z.string().optional(),
  correlation: z.record(z.string(), z.string()).optional(),
  notAfter: time.optional(),
  status: z.enum(requestStatuses),
  /** The request whose dispatch this one joined: they share one call and its outcome. */
  coalescedWith: z.string().optional(),
  createdAt: time,
  /** By the present state of quota, hold and order; more urgent arrivals move it back. Only while queued. */
  expectedStartAt: time.optional(),
  /** 1 is next. Only while queued. */
  position: z.int().positive().optional(),
  dispatchedAt: time.optional(),
  investigationId: z.string().optional(),
  /** The investigation covers the machine, but is not provably the one that this request asked for. */
  attached: z.boolean().optional(),
  /** While `dispatching`: the answer was lost, and Defender is being asked what became of the call. */
  error: requestError.optional(),
  /** Calls made for this request that Defender answered or that may have reached it; waiting is none. */
  attempts: z.int().nonnegative(),
});

export type RequestDocument = z.output<typeof requestDocument>;
