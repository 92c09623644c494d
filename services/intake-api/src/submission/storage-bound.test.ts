import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { waitFor } from '@diq/testing/wait-for.ts';
import { expectProblem } from '../test-support/expect-problem.ts';
import { callbackEnvironment } from '../test-support/callback-environment.ts';
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

describe('what counts for a caller', () => {
  const suite = useIntakeOnRedisServer(callbackEnvironment(1));
  const { intake } = suite;
  const machines = 400;
  const tracing = {
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    tracestate: `one=${'x'.repeat(250)},other=${'x'.repeat(240)}`,
  };
  // Nothing listens there: the job of a callback stays for its next attempt.
  const callback = { callbackUrl: 'http://127.0.0.1:1/ended' };

  const usedBytes = async () => {
    const info = await suite.admin.info('memory');
    const valueOf = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1]);
    return valueOf('used_memory') - valueOf('mem_not_counted_for_evict');
  };
  async function countedBytes() {
    const [key = ''] = (await suite.admin.keys('*')).filter((name) => name.endsWith(':stored'));
    return Number(await suite.admin.hget(key, 'playbook'));
  }
  const countJobs = async () => (await suite.admin.keys('*:callbacks:request-*')).length;
  async function postAndCancel(requests: object[], headers: Record<string, string> = {}) {
    const { body } = await intake.post('/v1/batches', { requests }).set(headers).expect(202);
    await intake.as('playbook', 'delete', `/v1/batches/${(body as { id: string }).id}`).expect(200);
  }
  before('let Redis have what it needs once: scripts, indexes', () =>
    postAndCancel(Array.from({ length: machines }, (_, i) => item(9_000 + i))),
  );

  // Callbacks last: their jobs stay.
  for (const [n, { name, fields, headers }] of [
    { name: 'with a comment of a line', fields: {}, headers: {} },
    { name: 'with a source of its own', fields: { source: 's'.repeat(99) }, headers: {} },
    { name: 'with a large comment', fields: { comment: 'x'.repeat(3_900) }, headers: {} },
    { name: 'with the state of a trace', fields: {}, headers: tracing },
    { name: 'with a callback that is not taken', fields: callback, headers: tracing },
  ].entries())
    it(`is about what Redis needs: an ended request ${name}`, async () => {
      const requests = Array.from({ length: machines }, (_, i) =>
        item(n * machines + i, { comment: 'x'.repeat(100), ...fields }),
      );
      const before = { used: await usedBytes(), counted: await countedBytes() };
      await postAndCancel(requests, headers);
      if ('callbackUrl' in fields)
        await waitFor(async () => (await countJobs()) === machines, { what: 'the jobs of all callbacks' });
      const ratio = ((await usedBytes()) - before.used) / ((await countedBytes()) - before.counted);
      assert.ok(ratio > 0.6 && ratio < 1.3, `${ratio.toFixed(2)} times what is counted`);
    });
});
