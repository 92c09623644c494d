import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { requireRedisServer, startRedisServer, type RedisServer } from '@diq/testing/redis-process.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { keys } from '../test-support/credentials.ts';
import { expectProblem } from '../test-support/expect-problem.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { item, redisAway } from '../test-support/items.ts';
import { openRequest } from '../test-support/raw-request.ts';
import { postOnce } from '../test-support/replays.ts';

describe('the limit of requests per minute', () => {
  const redis = useEmbeddedRedis();
  const env = { AZURE_TENANT_ID: randomUUID(), INTAKE_MAX_REQUESTS_PER_MINUTE: '3' };
  const intake = useIntake(redis, env);
  const replica = useIntake(redis, env);
  beforeEach(() => redis.flush());

  it('tells every answer what is left, refusals too', async () => {
    const answers = [
      await intake.get('/v1/quota'),
      await intake.get('/v1/nonsense'),
      await intake.post('/v1/batches', { nonsense: 1 }),
    ];
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 404, 400],
    );
    const left = answers.map(
      ({ headers }) => /^"3-in-1min"; r=(\d); t=\d+$/.exec(headers['ratelimit'] ?? '')?.[1],
    );
    assert.deepEqual(left, ['2', '1', '0']);
    for (const { headers } of answers) {
      assert.match(headers['ratelimit-policy'] ?? '', /^"3-in-1min"; q=3; w=60/);
    }
  });

  it('refuses the next one with 429 and the time to wait, and lets others of other keys pass', async () => {
    for (let i = 0; i < 3; i += 1) await intake.get('/v1/quota').expect(200);
    const refused = await intake.get('/v1/quota');
    expectProblem(refused, 'rate_limited');
    const seconds = Number(refused.headers['retry-after']);
    assert.ok(seconds > 0 && seconds <= 60, refused.headers['retry-after']);
    assert.match(refused.headers['ratelimit'] ?? '', /r=0/);
    await intake.anonymously().get('/v1/quota').set('X-API-Key', keys.reader).expect(200);
  });

  it('is one for all intakes together', async () => {
    for (let i = 0; i < 3; i += 1) await intake.get('/v1/quota').expect(200);
    expectProblem(await replica.get('/v1/quota'), 'rate_limited');
  });

  it('ends with its minute', async () => {
    for (let i = 0; i < 4; i += 1) await intake.get('/v1/quota');
    const [count = ''] = await redis.client.keys('*{caller/playbook}:rate');
    const endsInMs = await redis.client.pttl(count);
    assert.ok(endsInMs > 0 && endsInMs <= 60_000);
    await redis.client.del(count);
    await intake.get('/v1/quota').expect(200);
  });

  it('counts no caller that is not let in, and no probe', async () => {
    for (let i = 0; i < 5; i += 1) {
      await intake.anonymously().get('/v1/quota').expect(401);
      await intake.anonymously().get('/readyz').expect(200);
    }
    assert.deepEqual(await redis.client.keys('*:rate'), []);
  });
});

describe('the limit of requests per minute while Redis is away', () => {
  const intake = useIntake(redisAway, { INTAKE_MAX_REQUESTS_PER_MINUTE: '3' });

  it('refuses no caller: each route answers what it would', async () => {
    for (let i = 0; i < 5; i += 1) {
      const startedAtMs = performance.now();
      expectProblem(await intake.get('/v1/quota'), 'redis_unavailable');
      expectProblem(await intake.get('/v1/nonsense'), 'route_not_found');
      assert.ok(performance.now() - startedAtMs < 2_000);
    }
  });
});

describe('wrong credentials from one address', () => {
  const intake = useIntake(useEmbeddedRedis());
  const ask = (key: string) => intake.anonymously().get('/v1/quota').set('X-API-Key', key);

  it('are refused unread after 30 different ones, and a key that was good before is not', async () => {
    await ask(keys.playbook).expect(200);
    for (let i = 0; i < 30; i += 1) expectProblem(await ask(`wrong-${i}`), 'unauthenticated');
    const refused = await ask(keys.reader);
    expectProblem(refused, 'rate_limited');
    const seconds = Number(refused.headers['retry-after']);
    assert.ok(seconds > 0 && seconds <= 60);
    await ask(keys.playbook).expect(200);
  });
});

describe('the address that wrong credentials come from', () => {
  const redis = useEmbeddedRedis();
  const direct = useIntake(redis);
  const proxied = useIntake(redis, { INTAKE_TRUSTED_PROXIES: 'loopback' });
  const many = useIntake(redis);

  /** Wrong ones from one address, then a good one from another, both named by a header. */
  async function statusAfterGuesses(intake: typeof direct): Promise<number> {
    const ask = (key: string, from: string) =>
      intake.anonymously().get('/v1/quota').set({ 'X-API-Key': key, 'X-Forwarded-For': from });
    for (let i = 0; i < 30; i += 1) await ask(`wrong-${i}`, '203.0.113.9').expect(401);
    await ask('wrong-30', '203.0.113.9').expect(429);
    return (await ask(keys.reader, '198.51.100.7')).status;
  }

  it('is what the connection has, whatever a header says', async () => {
    assert.equal(await statusAfterGuesses(direct), 429);
  });

  it('is the connection where the header holds no address, and without the port where it names one', async () => {
    const ask = (key: string, from: string) =>
      proxied.anonymously().get('/v1/quota').set({ 'X-API-Key': key, 'X-Forwarded-For': from });
    for (let i = 0; i < 30; i += 1) await ask(`odd-${i}`, `garbage-${i}`).expect(401);
    await ask('odd-30', 'garbage-31').expect(429);
    for (let i = 0; i < 30; i += 1) await ask(`port-${i}`, `192.0.2.1:${1_000 + i}`).expect(401);
    await ask('port-30', '192.0.2.1').expect(429);
    const lines = proxied.log.filter(({ msg }) => msg === 'request answered').map(({ client }) => client);
    assert.ok(lines.includes('192.0.2.1'));
    assert.ok(!lines.some((client) => String(client).includes('garbage')));
  });

  it('has 30 of 100 looked at that come at once on as many connections, be they keys or tokens', async () => {
    const forged = (i: number) => {
      const part = (of: object) => Buffer.from(JSON.stringify(of)).toString('base64url');
      return { Authorization: `Bearer ${part({ alg: 'RS256', kid: 'x' })}.${part({ i })}.c2lnbmVk` };
    };
    const open = await Promise.all(
      Array.from({ length: 100 }, async (_, i) =>
        openRequest(many.url, 'GET /v1/quota', i % 2 ? forged(i) : { 'X-API-Key': `guess-${i}` }),
      ),
    );
    const statuses = (await Promise.all(open.map(({ answered }) => answered))).map(({ status }) => status);
    for (const one of open) one.close();
    const times = (status: number) => statuses.filter((each) => each === status).length;
    assert.deepEqual([times(401), times(429)], [30, 70]);
  });

  it('is what the trusted proxy says (INTAKE_TRUSTED_PROXIES)', async () => {
    assert.equal(await statusAfterGuesses(proxied), 200);
  });
});

describe('the limit of requests per minute while Redis hangs', () => {
  before(requireRedisServer);
  let server: RedisServer | undefined;
  before(async () => {
    server = await startRedisServer();
  });
  const intake = useIntake(
    {
      get url() {
        return server?.url ?? '';
      },
    },
    { INTAKE_MAX_REQUESTS_PER_MINUTE: '100' },
  );
  after(() => server?.stop());

  it('adds so little that a POST with an Idempotency-Key is still refused within 2 s', async () => {
    await postOnce(intake, '/v1/investigations', item(1)).expect(202);
    await server?.kill('SIGSTOP');
    const startedAtMs = performance.now();
    const refused = await postOnce(intake, '/v1/investigations', item(2));
    const tookMs = performance.now() - startedAtMs;
    await server?.kill('SIGCONT');
    expectProblem(refused, 'redis_unavailable');
    assert.ok(tookMs < 2_000, `${tookMs} ms`);
  });
});
