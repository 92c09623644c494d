import { setTimeout as wait } from 'node:timers/promises';
import type { z } from 'zod';
import type { RedisConnection } from '@diq/redis/connection.ts';
import { wakeChannel } from '../scheduling/wakes.ts';

/** That Defender is not asked, or did not answer. */
export interface Unavailable {
  kind: 'unavailable';
  retryAfterMs: number;
}

/** How long an intake waits for a worker's answer, and how long a question stands. */
const answerWithinMs = 5_000;
const lookEveryMs = 100;
/** A wake reaches only the workers that listen at that moment: it is repeated this often until the question is answered. */
const wakeEveryMs = 1_000;
/** Of one exchange: questions that stand, and callers that wait in one process. What is more is refused, or goes unanswered. */
const mostQuestions = 100;
const mostWaiting = 50;

interface ExchangeOptions<Question, Answer> {
  redis: RedisConnection;
  /** The key of the list of questions. */
  questions: string;
  /** The key of what is answered to a question, which has the same hash tag. */
  answerKey: (question: Question) => string;
  question: z.ZodType<Question>;
  answer: z.ZodType<Answer>;
  /** What wakes the workers that answer. */
  wake: string;
}

/**
 * What Defender is to be asked for a caller: intakes ask, and a worker, which alone has credentials, asks Defender. An answer
 * stands for as long as the worker says and serves everybody who asks meanwhile, so that many who ask are one read.
 */
export function createExchange<Question, Answer extends { kind: string }>(
  options: ExchangeOptions<Question, Answer>,
) {
  const { redis, questions, answerKey } = options;
  let waiting = 0;

  async function look(key: string): Promise<Answer | 'asked' | undefined> {
    const stored = await redis.get(key);
    if (stored === null) return undefined;
    return stored === '' ? 'asked' : options.answer.parse(JSON.parse(stored));
  }

  async function post(question: Question, key: string): Promise<void> {
    if ((await redis.set(key, '', 'PX', answerWithinMs, 'NX')) === null) return;
    await redis.lpush(questions, JSON.stringify(question));
    await redis.ltrim(questions, 0, mostQuestions - 1);
    await redis.pexpire(questions, answerWithinMs);
    await wake();
  }

  const wake = () => redis.publish(wakeChannel, options.wake);

  async function answerTo(question: Question): Promise<Answer | Unavailable> {
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
    async ask(question: Question): Promise<Answer | Unavailable> {
      if (waiting >= mostWaiting) return busy;
      waiting += 1;
      return answerTo(question).finally(() => (waiting -= 1));
    },
    /** The question that has stood the longest, which no other worker gets then. */
    async take(): Promise<Question | undefined> {
      const text = await redis.rpop(questions);
      return text === null ? undefined : options.question.parse(JSON.parse(text));
    },
    /** Stands for `forMs`. */
    async answer(question: Question, answer: Answer, forMs: number): Promise<void> {
      const px = Math.max(1, Math.ceil(forMs));
      await redis.set(answerKey(question), JSON.stringify(answer), 'PX', px);
    },
  };
}

const busy: Unavailable = { kind: 'unavailable', retryAfterMs: answerWithinMs };
