import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { RedisConnection } from '@diq/redis/connection.ts';
import { createExchange } from './exchange.ts';
import { isReadable } from './readable-path.ts';

/** What is read of Defender for a caller: a path of its API, as `readable-path.ts` allows it. */
const readQuestion = z.strictObject({ path: z.string().refine(isReadable) });

export type ReadQuestion = z.output<typeof readQuestion>;

const readAnswer = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('read'), body: z.unknown() }),
  z.strictObject({ kind: z.literal('not_found') }),
  /** Defender does not take the question. */
  z.strictObject({ kind: z.literal('refused'), httpStatus: z.number() }),
  /** The answer is longer than is kept in Redis. */
  z.strictObject({ kind: z.literal('too_long') }),
  z.strictObject({ kind: z.literal('unavailable'), retryAfterMs: z.number() }),
]);

export type ReadAnswer = z.output<typeof readAnswer>;

export type ReadExchange = ReturnType<typeof createReadExchange>;

/** What stands in Redis of one answer, at most. */
export const maxReadBytes = 1_024 * 1_024;

/** The keys have the hash tag of the tenant's budget of reads. */
export function createReadExchange(redis: RedisConnection, tenantId: string) {
  const keySpace = `diq:{${tenantId.toLowerCase()}/reads}`;
  return createExchange<ReadQuestion, ReadAnswer>({
    redis,
    questions: `${keySpace}:asked`,
    answerKey: ({ path }) => `${keySpace}:answer:${createHash('sha256').update(path).digest('base64url')}`,
    question: readQuestion,
    answer: readAnswer,
    wake: `read ${tenantId.toLowerCase()}`,
  });
}
