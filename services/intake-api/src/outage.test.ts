import assert from 'node:assert/strict';
import { requireRedisServer, startRedisServer, type RedisServer } from '@diq/testing/redis-process.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { findFreePort } from '@diq/runtime/processes/free-port.ts';
import { expectProblem } from './test-support/expect-problem.ts';
import { useIntake, type IntakeUnderTest } from './test-support/intake-under-test.ts';
import { item, unknownId } from './test-support/items.ts';

/** Every route that needs Redis answers 503 within 2 s, all asked at the same time. */
async function assertAllAnswer503(intake: IntakeUnderTest): Promise<void> {
  const asked = [
    intake.post('/v1/batches', { requests: Array.from({ length: 1_000 }, (_, number) => item(number)) }),
    intake.post('/v1/investigations', item(1)),
    intake.get(`/v1/investigations/${unknownId}`),
    intake.get(`/v1/investigations/${unknownId}/result`),
    intake.get(`/v1/batches/${unknownId}`),
    intake.get(`/v1/batches/${unknownId}/items`),
    intake.get('/v1/quota'),
  ];
  const startedAtMs = performance.now();
  for (const response of await Promise.all(asked)) {
    expectProblem(response, 'redis_unavailable');
    assert.equal(response.headers['retry-after'], '5');
  }
  assert.ok(performance.now() - startedAtMs < 2_000, `${performance.now() - startedAtMs} ms`);
  await intake.anonymously().get('/readyz').expect(503);
  await intake.anonymously().get('/livez').expect(200);
  await intake.anonymously().get('/metrics').expect(200);
}

async function assertServesAgain(intake: IntakeUnderTest): Promise<void> {
  const isReady = async () => (await intake.anonymously().get('/readyz')).status === 200;
  await waitFor(isReady, { what: 'the intake to be ready again', timeoutMs: 10_000 });
  const batch = await intake.post('/v1/batches', { requests: [item(1), item(2)] }).expect(202);
  await intake.get(batch.headers['location'] ?? '').expect(200);
  const single = await intake.post('/v1/investigations', item(3)).expect(202);
  await intake.get(single.headers['location'] ?? '').expect(202);
  await intake.get('/v1/quota').expect(200);
}

/** As a client does: a Redis whose disk is busy right after its start may be too slow for one more attempt. */
async function submitUntilTaken(
  intake: IntakeUnderTest,
  requests: object[],
): Promise<Record<string, number>> {
  let counts: Record<string, number> = {};
  const isTaken = async () => {
    const response = await intake.post('/v1/batches', { requests });
    if (response.status !== 202) expectProblem(response, 'redis_unavailable');
    else ({ counts } = response.body as { counts: Record<string, number> });
    return response.status === 202;
  };
  await waitFor(isTaken, { what: 'the batch to be taken', timeoutMs: 30_000 });
  return counts;
}

/** Long enough under way to be interrupted. */
const batchSize = 4_000;

describe('an outage of Redis', () => {
  let redis: RedisServer | undefined;
  const running = (): RedisServer => {
    if (!redis) throw new Error('redis-server is there from the before hooks on');
    return redis;
  };
  before(requireRedisServer);
  before('start redis-server', async () => {
    redis = await startRedisServer({ appendOnly: true });
  });
  const intake = useIntake({
    get url() {
      return running().url;
    },
  });
  after('stop redis-server', () => redis?.stop());

  it('by a crash is answered with 503 within 2 s, and over by itself with everything kept', async () => {
    const { headers } = await intake.post('/v1/investigations', item(7)).expect(202);
    await running().kill();
    await assertAllAnswer503(intake);
    await running().restart();
    await assertServesAgain(intake);
    await intake.get(headers['location'] ?? '').expect(202);
  });

  const middles: [string, () => Promise<number>, number][] = [
    ['while requests are recorded', () => intake.tasks.countWaiting(), 1_000_000],
    ['while jobs are added', () => intake.jobs.countReady(), 2_000_000],
  ];
  for (const [name, count, firstNumber] of middles) {
    it(`in the middle of a batch, ${name}, is a 503, and the batch sent again doubles nothing`, async () => {
      const requests = Array.from({ length: batchSize }, (_, number) => item(firstNumber + number));
      const [waitingBefore, countBefore] = [await intake.tasks.countWaiting(), await count()];
      const refused = intake.post('/v1/batches', { requests }).then((response) => response);
      await waitFor(async () => (await count()) > countBefore, {
        what: 'the batch to have begun',
        intervalMs: 5,
      });
      await running().kill();
      expectProblem(await refused, 'redis_unavailable');

      await running().restart();
      await assertServesAgain(intake);
      const { accepted, coalesced } = await submitUntilTaken(intake, requests);
      assert.equal((accepted ?? 0) + (coalesced ?? 0), batchSize);
      // Three more of `assertServesAgain`, which may be new or have joined.
      const added = (await intake.tasks.countWaiting()) - waitingBefore;
      assert.ok(added >= batchSize && added <= batchSize + 3, String(added));
      assert.equal(await intake.jobs.countReady(), await intake.tasks.countWaiting());
    });
  }

  it('by a server that hangs is answered with 503 within 2 s, and over by itself', async () => {
    await running().kill('SIGSTOP');
    try {
      await assertAllAnswer503(intake);
    } finally {
      await running().kill('SIGCONT');
    }
    await assertServesAgain(intake);
  });
});

describe('a start while Redis is away', () => {
  let redis: RedisServer | undefined;
  let port = 0;
  before(requireRedisServer);
  before('find a port for Redis', async () => {
    port = await findFreePort();
  });
  const intake = useIntake({
    get url() {
      return `redis://127.0.0.1:${port}`;
    },
    isAway: true,
  });
  after('stop redis-server', () => redis?.stop());

  it('answers with 503, and serves as soon as Redis is there', async () => {
    await assertAllAnswer503(intake);
    redis = await startRedisServer({ port });
    await assertServesAgain(intake);
  });
});
