import { z } from 'zod';
import type { RedisConnection } from '@diq/redis/connection.ts';
import { storeKeys } from '../store-keys.ts';
import { createExchange } from './exchange.ts';

/** What a link is asked for: a machine action of Defender's, and of a live response the command. */
const linkQuestion = z.strictObject({ actionId: z.string(), index: z.int().min(0).optional() });

export type LinkQuestion = z.output<typeof linkQuestion>;

const linkAnswer = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('link'), url: z.string() }),
  /** Defender has none, or none yet. */
  z.strictObject({ kind: z.literal('not_there') }),
  /** Defender is not asked, or did not answer. */
  z.strictObject({ kind: z.literal('unavailable'), retryAfterMs: z.number() }),
]);

export type LinkAnswer = z.output<typeof linkAnswer>;

export type LinkExchange = ReturnType<typeof createLinkExchange>;

/** Links to what machine actions brought: one key for each action and command holds the question and then its answer. */
export function createLinkExchange(redis: RedisConnection, keySpace: string) {
  const keys = storeKeys(keySpace);
  return createExchange<LinkQuestion, LinkAnswer>({
    redis,
    questions: keys.linksAsked,
    answerKey: ({ actionId, index }) =>
      keys.linkAnswer(actionId, index === undefined ? 'package' : String(index)),
    question: linkQuestion,
    answer: linkAnswer,
    wake: `link ${keySpace}`,
  });
}
