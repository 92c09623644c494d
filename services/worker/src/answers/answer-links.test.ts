import assert from 'node:assert/strict';
import type { LinkAnswer, LinkQuestion } from '@diq/queue/questions/link-exchange.ts';
import type { Reading } from '../defender/reading.ts';
import { createLinkAnswers, type LinkAnswersOptions } from './answer-links.ts';

const question: LinkQuestion = { actionId: 'a-1', index: 2 };

/** What is answered to one question where Defender is read with this outcome, and for how long that stands. */
async function answerTo(
  reading: Reading<string>,
  token: Awaited<ReturnType<LinkAnswersOptions['tokens']['get']>> = { kind: 'token', token: 't-1' } as never,
) {
  const questions = [question];
  const answers: { answer: LinkAnswer; forMs: number }[] = [];
  const paths: string[] = [];
  const rejected: string[] = [];
  const logged: unknown[] = [];
  const links = createLinkAnswers({
    exchange: {
      take: async () => questions.shift(),
      answer: async (_, answer, forMs) => void answers.push({ answer, forMs }),
    },
    download: { path: (id: string, index: number) => `/actions/${id}/${index}`, goodForMs: 60_000 } as never,
    reader: { findLink: async (_, path) => (paths.push(path), reading) },
    tokens: { get: async () => token, renewAfterRejection: async (old) => (rejected.push(old), token) },
    baseUrl: 'https://defender.example',
    logger: {
      warn: (...all: unknown[]) => logged.push(all),
      error: (...all: unknown[]) => logged.push(all),
    } as never,
  });
  links.wake();
  await links.idle();
  return { answers, paths, rejected, logged: JSON.stringify(logged) };
}

describe('the answers to who asks for links', () => {
  it('are links to known hosts, asked for by action and command', async () => {
    const url = 'https://store.blob.core.windows.net/results/1?sig=x';
    const { answers, paths } = await answerTo({ kind: 'read', value: url });
    assert.deepEqual(answers, [{ answer: { kind: 'link', url }, forMs: 60_000 }]);
    assert.deepEqual(paths, ['/actions/a-1/2']);
  });

  it('are none to other hosts, and the log has the host alone', async () => {
    const { answers, logged } = await answerTo({
      kind: 'read',
      value: 'https://evil.example/p.zip?sig=s3cret',
    });
    assert.equal(answers[0]?.answer.kind, 'unavailable');
    assert.match(logged, /evil\.example/);
    assert.doesNotMatch(logged, /s3cret/);
    assert.equal((await answerTo({ kind: 'read', value: 'no link' })).answers[0]?.answer.kind, 'unavailable');
  });

  it('say for a short time that there is none yet', async () => {
    const { answers } = await answerTo({ kind: 'not_found' });
    assert.deepEqual(answers, [{ answer: { kind: 'not_there' }, forMs: 5_000 }]);
  });

  it('say when to ask again, at most a minute later, and a rejected token is renewed', async () => {
    const refused = {
      kind: 'unreadable',
      reason: 'token_rejected',
      retryAfterMs: 3_600_000,
    } as Reading<string>;
    const { answers, rejected } = await answerTo(refused);
    assert.deepEqual(answers, [{ answer: { kind: 'unavailable', retryAfterMs: 60_000 }, forMs: 60_000 }]);
    assert.deepEqual(rejected, ['t-1']);
  });

  it('come without a read of Defender where there is no token', async () => {
    const none = { kind: 'unavailable', retryAfterMs: 2_000 } as never;
    const { answers, paths } = await answerTo({ kind: 'read', value: 'https://defender.example/x' }, none);
    assert.deepEqual(answers, [{ answer: { kind: 'unavailable', retryAfterMs: 2_000 }, forMs: 2_000 }]);
    assert.deepEqual(paths, []);
  });
});
