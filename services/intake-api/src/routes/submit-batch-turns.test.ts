import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { inTurn } from '../http/caller-turns.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { item } from '../test-support/items.ts';

const batchOf = (size: number, from = 0) => ({
  requests: Array.from({ length: size }, (_, i) => item(from + i)),
});

describe('large batches of one caller', () => {
  const intake = useIntake(useEmbeddedRedis());

  /** As if another large batch of the caller were being taken up, until the returned function is called. */
  function takeTurn(): () => Promise<void> {
    let end = () => {};
    const over = inTurn(
      'playbook large',
      { destroyed: false },
      () => new Promise<void>((resolve) => (end = resolve)),
    );
    endTurn = async () => {
      end();
      await over;
    };
    return endTurn;
  }
  let endTurn: (() => Promise<void>) | undefined;
  afterEach(() => endTurn?.());

  /** What is answered while the caller's turn is taken, and what only then. */
  async function answeredMeanwhile(posted: Promise<{ status: number }>): Promise<boolean> {
    let isAnswered = false;
    void posted.then(() => (isAnswered = true));
    for (let n = 0; n < 20; n += 1) await intake.post('/v1/batches', batchOf(5, 5_000)).expect(202);
    await intake.as('submitter', 'post', '/v1/batches', batchOf(6, 6_000)).expect(202);
    return isAnswered;
  }

  for (const [what, query, status] of [
    ['are recorded', '', 202],
    ['are tried out', '?dryRun=true', 200],
  ] as const)
    it(`${what} one after the other, and keep neither small ones nor those of others waiting`, async () => {
      const end = takeTurn();
      const posted = Promise.resolve(intake.post(`/v1/batches${query}`, batchOf(6)));
      assert.equal(await answeredMeanwhile(posted), false);
      await end();
      assert.equal((await posted).status, status);
    });

  it('are answered again one after the other', async () => {
    const post = () =>
      Promise.resolve(intake.post('/v1/batches', batchOf(1_000)).set('Idempotency-Key', 'large'));
    assert.equal((await post()).status, 202);
    const end = takeTurn();
    const again = post();
    assert.equal(await answeredMeanwhile(again), false);
    await end();
    assert.equal((await again).headers['idempotent-replayed'], 'true');
  });

  it('are not taken up for a client that left, whose Idempotency-Key is free again', async () => {
    const end = takeTurn();
    const post = () => intake.post('/v1/batches', batchOf(300, 10_000)).set('Idempotency-Key', 'left');
    const left = post();
    left.on('error', () => undefined);
    left.end(() => undefined);
    const isInFlight = async () => (await post().retry(0)).status === 409;
    await waitFor(isInFlight, { what: 'the first to have the key' });
    left.abort();
    await waitFor(() => intake.log.some(({ msg, aborted }) => msg === 'request answered' && aborted), {
      what: 'the client to be gone',
    });
    await end();
    const again = await waitFor(
      async () => {
        const answer = await post();
        return answer.status === 202 && answer;
      },
      { what: 'the key to be free' },
    );
    assert.equal(again.headers['idempotent-replayed'], undefined);
    assert.equal((again.body as { counts: { accepted: number } }).counts.accepted, 300);
  });
});
