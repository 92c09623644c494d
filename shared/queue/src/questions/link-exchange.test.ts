import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { keySpace } from '../test-support/test-store.ts';
import { useTestStore } from '../test-support/use-test-store.ts';
import { wakeChannel } from '../scheduling/wakes.ts';
import { createLinkExchange, type LinkAnswer } from './link-exchange.ts';

const link: LinkAnswer = { kind: 'link', url: 'https://x.securitycenter.windows.com/p.zip' };
const question = { actionId: 'a-1' };

describe('the exchange of links', () => {
  const redis = useEmbeddedRedis();
  const store = useTestStore(redis);
  const open = () => createLinkExchange(store.redis, keySpace);
  const taken = () => waitFor(() => open().take(), { what: 'a question' });

  it('brings one question for all who ask the same, and the answer to each of them', async () => {
    const asking = [open().ask(question), open().ask(question), open().ask({ ...question, index: 0 })];
    const questions = [await taken(), await taken()];
    assert.deepEqual(new Set(questions.map(({ index }) => index)), new Set([undefined, 0]));
    assert.equal(await open().take(), undefined);
    for (const one of questions) await open().answer(one, link, 60_000);
    assert.deepEqual(await Promise.all(asking), [link, link, link]);
    assert.deepEqual(await open().ask(question), link, 'and to those who ask later');
    assert.equal(await open().take(), undefined);
  });

  it('asks anew once an answer no longer stands', async () => {
    await open().answer(question, { kind: 'not_there' }, 1);
    const isGone = async () => (await store.redis.exists(`${keySpace}:links:answer:a-1:package`)) === 0;
    await waitFor(isGone, { what: 'the answer to go' });
    const asking = open().ask(question);
    assert.deepEqual(await taken(), question);
    await open().answer(question, link, 60_000);
    assert.deepEqual(await asking, link);
  });

  it('gives up where no worker answers, and leaves nothing behind', async () => {
    assert.equal((await open().ask({ actionId: 'a-2' })).kind, 'unavailable');
    const isGone = async () => (await store.redis.exists(`${keySpace}:links:asked`)) === 0;
    await waitFor(isGone, { what: 'the question to go' });
  });

  it('wakes workers again while none has answered: one that did not listen before hears of it', async () => {
    const asking = open().ask({ actionId: 'a-3' });
    await waitFor(async () => (await store.redis.exists(`${keySpace}:links:asked`)) === 1, {
      what: 'a question',
    });
    const late = redis.client.duplicate();
    try {
      const woken = new Promise((resolve) => late.once('message', (_, text) => resolve(text)));
      await late.subscribe(wakeChannel);
      assert.equal(await woken, `link ${keySpace}`);
    } finally {
      late.disconnect();
    }
    await open().answer(await taken(), link, 60_000);
    assert.deepEqual(await asking, link);
  });

  it('refuses more callers at once than may wait', async () => {
    const exchange = open();
    const asking = Array.from({ length: 50 }, (_, n) => exchange.ask({ actionId: `b-${n}` }));
    assert.equal((await exchange.ask({ actionId: 'b-50' })).kind, 'unavailable');
    for (let n = 0; n < 50; n += 1) await exchange.answer(await taken(), link, 60_000);
    for (const answer of await Promise.all(asking)) assert.deepEqual(answer, link);
  });
});
