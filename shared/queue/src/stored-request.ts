import { z } from 'zod';
import { investigationItem } from '@diq/contracts/investigation-item.ts';
import { requestError } from '@diq/contracts/request-document.ts';
import type { RequestDocument } from '@diq/contracts/request-document.ts';
import { requestStatuses } from '@diq/contracts/status.ts';

/** The hash of one request as the scripts write it. */
const storedRequest = z.object({
  doc: z.string(),
  status: z.enum(requestStatuses),
  dispatch: z.string(),
  batch: z.string().optional(),
  with: z.string().optional(),
  dispatchedAt: z.coerce.number().optional(),
  investigationId: z.string().optional(),
  attached: z.string().optional(),
  error: z.string().optional(),
  attempts: z.coerce.number().default(0),
});

const askedFor = investigationItem.extend({ createdAt: z.iso.datetime() });

export interface StoredRequest {
  document: RequestDocument;
  dispatchId: string;
}

/** Reads a request's hash; `undefined` for an empty one, which is how Redis answers for an unknown key. */
export function parseStoredRequest(id: string, hash: Record<string, string>): StoredRequest | undefined {
  if (hash['status'] === undefined) return undefined;
  const stored = storedRequest.parse(hash);
  const asked = askedFor.parse(JSON.parse(stored.doc));
  const document = {
    id,
    batchId: stored.batch,
    ...asked,
    status: stored.status,
    coalescedWith: stored.with,
    dispatchedAt: stored.dispatchedAt === undefined ? undefined : new Date(stored.dispatchedAt).toISOString(),
    investigationId: stored.investigationId,
    attached: stored.attached === undefined ? undefined : true,
    error: stored.error === undefined ? undefined : requestError.parse(JSON.parse(stored.error)),
    attempts: stored.attempts,
  };
  return { document: withoutUndefined(document), dispatchId: stored.dispatch };
}

type WithoutUndefined<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

function withoutUndefined<T extends object>(value: T): WithoutUndefined<T> {
  return Object.fromEntries(
    Object.entries(value).filter(([, field]) => field !== undefined),
  ) as WithoutUndefined<T>;
}
