import { setTimeout as wait } from 'node:timers/promises';
import { z } from 'zod';
import type { RedisConnection } from '@diq/redis/connection.ts';
import { storeKeys } from '../store-keys.ts';
import { wakeChannel } from '../scheduling/wakes.ts';

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

/** How long an intake waits for a worker's answer, and how long a question stands. */
const answerWithinMs = 5_000;
const lookEveryMs = 100;
/** A wake reaches only the workers that listen at that moment: it is repeated this often until the question is answered. */
const wakeEveryMs = 1_000;
/** Of one queue: questions that stand, and callers that wait in one process. What is more is refused, or goes unanswered. */
const mostQuestions = 100;
const mostWaiting = 50;

export type LinkExchange = ReturnType<typeof createLinkExchange>;

/**
 * Links to what machine actions brought: intakes ask, and a worker, which alone has credentials, asks Defender. An answer stands for
 * as long as the worker says and serves everybody who asks meanwhile, so that many who ask are one read.
 */
export function createLinkExchange(redis: RedisConnection, keySpace: string) {
  const keys = storeKeys(keySpace);
  const questions = keys.linksAsked;
  const answerKey = ({ actionId, index }: LinkQuestion) =>
    keys.linkAnswer(actionId, index === undefined ? 'package' : String(index));
  let waiting = 0;

  async function look(key: string): Promise<LinkAnswer | 'asked' | undefined> {
    const stored = await redis.get(key);
    if (stored === null) return undefined;
    return stored === '' ? 'asked' : linkAnswer.parse(JSON.parse(stored));
  }

  async function post(question: LinkQuestion, key: string): Promise<void> {
    if ((await redis.set(key, '', 'PX', answerWithinMs, 'NX')) === null) return;
    await redis.lpush(questions, JSON.stringify(question));
    await redis.ltrim(questions, 0, mostQuestions - 1);
    await redis.pexpire(questions, answerWithinMs);
    await wake();
  }

  const wake = () => redis.publish(wakeChannel, `link ${keySpace}`);

  async function answerTo(question: LinkQuestion): Promise<LinkAnswer> {
    const key = answerKey(question);
    const endsAtMs = performance.now() + answerWithinMs;
    let wakeAtMs = performance.now() + wakeEveryMs;
    let found = await look(key);
    if (found === undefined) await post(question, key);
    while (found === undefined || found === 'asked') {
      if (performance.now() >= endsAtMs) return busy;
      if (performance.now() >= wakeAtMs) {
        wakeAtMs += wakeEveryMs;
        await wake();
      }
      await wait(lookEveryMs);
      found = await look(key);
    }
    return found;
  }

  return {
    /** Resolves within some seconds. Rejects while Redis is away. */
    async ask(question: LinkQuestion): Promise<LinkAnswer> {
      if (waiting >= mostWaiting) return busy;
      waiting += 1;
      return answerTo(question).finally(() => (waiting -= 1));
    },
    /** The question that has stood the longest, which no other worker gets then. */
    async take(): Promise<LinkQuestion | undefined> {
      const text = await redis.rpop(questions);
      return text === null ? undefined : linkQuestion.parse(JSON.parse(text));
    },
    /** Stands for `forMs`. */
    async answer(question: LinkQuestion, answer: LinkAnswer, forMs: number): Promise<void> {
      const px = Math.max(1, Math.ceil(forMs));
      await redis.set(answerKey(question), JSON.stringify(answer), 'PX', px);
    },
  };
}

const busy: LinkAnswer = { kind: 'unavailable', retryAfterMs: answerWithinMs };
