import assert from 'node:assert/strict';
import { maxReadBytes, type ReadAnswer } from '@diq/queue/questions/read-exchange.ts';
import type { Reading } from '../defender/reading.ts';
import { createReadAnswers, type ReadAnswersOptions } from './answer-reads.ts';

type Read = Reading<{ body: unknown; bytes: number }>;

/** What is answered to one question where Defender is read with this outcome, and for how long that stands. */
async function answerTo(
  reading: Read,
  token: Awaited<ReturnType<ReadAnswersOptions['tokens']['get']>> = { kind: 'token', token: 't-1' } as never,
) {
  const questions = [{ path: '/api/machines/a' }];
  const answers: { answer: ReadAnswer; forMs: number }[] = [];
  const asked: string[] = [];
  const rejected: string[] = [];
  const reads = createReadAnswers({
    exchange: {
      take: async () => questions.shift(),
      answer: async (_, answer, forMs) => void answers.push({ answer, forMs }),
    },
    reader: { readPath: async (with_, path) => (asked.push(`${with_} ${path}`), reading) },
    tokens: { get: async () => token, renewAfterRejection: async (old) => (rejected.push(old), token) },
    logger: { error: () => assert.fail() } as never,
  });
  reads.wake();
  await reads.idle();
  return { ...answers[0], asked, rejected };
}

const unreadable = (more: object) => ({ kind: 'unreadable', ...more }) as Read;

describe('the answers to who reads of Defender', () => {
  it('are what Defender says, read with the service’s own token, and stand for moments', async () => {
    const { answer, forMs, asked } = await answerTo({
      kind: 'read',
      value: { body: { id: 'a' }, bytes: 10 },
    });
    assert.deepEqual([answer, forMs], [{ kind: 'read', body: { id: 'a' } }, 3_000]);
    assert.deepEqual(asked, ['t-1 /api/machines/a']);
    assert.deepEqual((await answerTo({ kind: 'not_found' })).answer, { kind: 'not_found' });
  });

  it('are bounded in length', async () => {
    const value = { body: {}, bytes: maxReadBytes + 1 };
    assert.deepEqual((await answerTo({ kind: 'read', value })).answer, { kind: 'too_long' });
    assert.deepEqual((await answerTo(unreadable({ reason: 'too_long' }))).answer, { kind: 'too_long' });
  });

  it('say when to ask again, where the budget is used up or Defender is away', async () => {
    const paced = await answerTo(unreadable({ reason: 'paced', retryAfterMs: 900_000 }));
    assert.deepEqual([paced.answer, paced.forMs], [{ kind: 'unavailable', retryAfterMs: 60_000 }, 3_000]);
    const away = await answerTo({ kind: 'not_found' }, { kind: 'unavailable', retryAfterMs: 2_000 } as never);
    assert.deepEqual([away.answer, away.asked], [{ kind: 'unavailable', retryAfterMs: 2_000 }, []]);
  });

  it('repeat a refusal by its status, and renew a token that was rejected', async () => {
    const refused = await answerTo(unreadable({ reason: 'unexpected_answer', httpStatus: 400 }));
    assert.deepEqual(refused.answer, { kind: 'refused', httpStatus: 400 });
    const rejected = await answerTo(unreadable({ reason: 'token_rejected', httpStatus: 401 }));
    assert.deepEqual([rejected.answer?.kind, rejected.rejected], ['unavailable', ['t-1']]);
  });
});
