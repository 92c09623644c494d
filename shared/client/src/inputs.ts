import type { z } from 'zod';
import type { investigationItem, itemDefaults } from '@diq/contracts/investigation-item.ts';
import type { OperationName } from '@diq/contracts/operations.ts';
import type { Priority } from '@diq/contracts/priority.ts';
import type { ResultOutcome } from '@diq/contracts/result-outcome.ts';
import type { RequestStatus } from '@diq/contracts/status.ts';
import type { CallOptions } from './transport.ts';

type Correlation = Readonly<Record<string, string>>;
type Shared = Omit<z.input<typeof itemDefaults>, 'correlation'> & { correlation?: Correlation };

/** One machine, and what is asked for it. */
export type Item = Omit<z.input<typeof investigationItem>, 'correlation'> & { correlation?: Correlation };

/** A request alone names its operation; items of a batch have that of the batch. */
export type NewRequest = Item & { operation?: OperationName | undefined };

export interface NewBatch {
  /** Without a `comment` an item has that of `defaults`. */
  requests: readonly (Omit<Item, 'comment'> & { comment?: string })[];
  defaults?: Shared;
  operation?: OperationName | undefined;
  callbackUrl?: string;
}

/** Whose queue is meant; without it, that of the tenant's default operation. */
export interface OfOperation {
  operation?: OperationName | undefined;
}

/** What requests are looked for by; what fits has all that is given. */
export interface RequestFilter {
  machineId?: string | undefined;
  batchId?: string | undefined;
  source?: string | undefined;
  priority?: Priority | undefined;
  correlation?: Correlation | undefined;
}

/** A span of time, ISO 8601: from the first on, before the second. */
export interface Span {
  from?: string | undefined;
  to?: string | undefined;
}

/** How many values a page has at most. */
export interface PageSize {
  limit?: number | undefined;
}

export interface ListRequests extends RequestFilter, OfOperation, Span, PageSize {
  status?: RequestStatus | readonly RequestStatus[] | undefined;
  outcome?: ResultOutcome | undefined;
}

export interface ListBatches extends OfOperation, Span, PageSize {
  status?: 'running' | 'completed' | undefined;
  source?: string | undefined;
  correlation?: Correlation | undefined;
}

export interface Change {
  priority?: Priority;
  /** null: no deadline. */
  notAfter?: string | null;
  reason?: string;
}

export interface BulkCancel extends RequestFilter, OfOperation {
  /** Of the answer before. */
  cursor?: string | undefined;
  reason?: string | undefined;
}

export interface BulkRetry extends BulkCancel {
  status?: RequestStatus | readonly RequestStatus[] | undefined;
  /** In place of the deadline of each; null: none. */
  notAfter?: string | null | undefined;
}

export interface Purge extends OfOperation {
  batchId?: string;
  caller?: string;
  endedBefore?: string;
  reason?: string;
}

/** For the audit record. */
export interface WithReason {
  reason?: string | undefined;
}

export interface SubmitOptions extends CallOptions {
  /** Of the caller's choice; without it each call has a new one, which its retries share. */
  idempotencyKey?: string;
}
