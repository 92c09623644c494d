import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { waitFor } from '@diq/testing/wait-for.ts';
import { expectProblem } from '../test-support/expect-problem.ts';
import { useIntakeOnRedisServer } from '../test-support/intake-on-redis-server.ts';
import { item } from '../test-support/items.ts';

const mebibyte = 1_024 * 1_024;

describe('a caller of whom as much is stored as may (INTAKE_MAX_MEMORY_PERCENT_PER_CALLER)', () => {
  const suite = useIntakeOnRedisServer({ INTAKE_MAX_MEMORY_PERCENT_PER_CALLER: '1' });
  const { intake } = suite;
  before('give Redis a bound, of which one percent is one MiB, and wait until the intake knows', async () => {
    await suite.admin.config('SET', 'maxmemory', String(100 * mebibyte));
    const isSeen = async () => {
      const { text } = await intake.anonymously().get('/metrics');
      return Number(/^diq_redis_memory_ratio (\S+)$/m.exec(text)?.[1]) > 0;
    };
    await waitFor(isSeen, { what: 'the metric to show it' });
  });

  /** About 640 KB in Redis. */
  const large = (from: number) => ({
    requests: Array.from({ length: 100 }, (_, n) => item(from + n, { comment: 'x'.repeat(3_900) })),
  });
  const storedKeys = async () =>
    (await suite.admin.keys('*'))
      .filter((key) => /:(?:request|task|batch|idempotency):/.test(key))
      .toSorted();

  it('is refused as a whole with a code of its own, also once all was cancelled, until it is deleted; others are not', async () => {
    const first = await intake.post('/v1/batches', large(0)).set('Idempotency-Key', 'first').expect(202);
    const before = await storedKeys();
    const second = () => intake.post('/v1/batches', large(100)).set('Idempotency-Key', 'second');
    const { detail } = expectProblem(await second(), 'storage_full');
    assert.match(
      detail ?? '',
      /^0\.6 MB of yours are stored, 0\.6 MB were posted, and the limit of a caller is 1\.0 MB;/,
    );
    assert.deepEqual(await storedKeys(), before, 'nothing of it is stored, and its key is free');
    const line = intake.log.find(({ msg }) => msg === 'storage limit of a caller reached');
    assert.deepEqual([line?.['caller'], line?.['level']], ['playbook', 'warn']);

    await intake.as('submitter', 'post', '/v1/batches', large(200)).expect(202);
    await intake.post('/v1/investigations', item(1)).expect(202);

    const { id } = first.body as { id: string };
    await intake.as('playbook', 'delete', `/v1/batches/${id}`).expect(200);
    expectProblem(await second(), 'storage_full');
    await intake.as('operator', 'post', '/v1/investigations/purge', { caller: 'playbook' }).expect(200);
    const again = await second().expect(202);
    assert.equal(again.headers['idempotent-replayed'], undefined);
  });

  it('is such a caller by the answers to its Idempotency-Keys too, which outlive what they answered', async () => {
    const caller = 'submitter';
    const post = () =>
      intake.as(caller, 'post', '/v1/investigations', item(900)).set('Idempotency-Key', randomUUID());
    const counted = async () => {
      const [key = ''] = (await suite.admin.keys('*')).filter((name) => name.endsWith(':stored'));
      return Number(await suite.admin.hget(key, caller));
    };
    const before = await counted();
    await post().expect(202);
    const withOne = await counted();
    await intake.as(caller, 'post', '/v1/investigations', item(900)).expect(202);
    const without = (await counted()) - withOne;
    assert.ok(withOne - before >= without + 500, `${withOne - before} with a key, ${without} without one`);
  });

  it('is let through by one of two batches at once', async () => {
    const answers = await Promise.all(
      [300, 400].map((from) => intake.as('operator', 'post', '/v1/batches', large(from))),
    );
    assert.deepEqual(
      answers.map(({ status }) => status).toSorted((a, b) => a - b),
      [202, 429],
    );
  });
});
