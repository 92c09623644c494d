import assert from 'node:assert/strict';
import { version } from '@diq/runtime/build-info.ts';
import { holdReasons } from '@diq/contracts/hold-reasons.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { keys } from './test-support/credentials.ts';
import { expectProblem } from './test-support/expect-problem.ts';
import { endStatuses, openStatuses } from './observability/metrics.ts';
import { useIntake, type IntakeUnderTest } from './test-support/intake-under-test.ts';
import { queueSeries } from './test-support/queue-series.ts';
import { item, redisAway, unknownId } from './test-support/items.ts';
import { openRequest } from './test-support/raw-request.ts';
import { beginCall } from './test-support/worker-moves.ts';

const uuidPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

describe('every reply of the intake', () => {
  const intake = useIntake(useEmbeddedRedis());

  it('carries the request id of the caller, also in the log and in problem documents', async () => {
    const response = await intake.get('/v1/nothing').set('X-Request-Id', 'playbook-7_run.12');
    assert.equal(response.headers['x-request-id'], 'playbook-7_run.12');
    assert.equal(expectProblem(response, 'route_not_found').httpRequestId, 'playbook-7_run.12');
    const lines = intake.log.filter((line) => line['httpRequestId'] === 'playbook-7_run.12');
    assert.deepEqual(
      lines.map(({ msg }) => msg),
      ['request answered'],
    );
  });

  for (const unusable of ['a b', 'x'.repeat(129), 'a/b', '{"x":1}', '']) {
    it(`carries a new request id instead of one such as ${JSON.stringify(unusable.slice(0, 20))}`, async () => {
      const response = await intake.get('/v1/quota').set('X-Request-Id', unusable);
      assert.match(response.headers['x-request-id'] ?? '', uuidPattern);
    });
  }

  it('carries the request id on every line that the request caused', async () => {
    await intake.post('/v1/investigations', item(1)).set('X-Request-Id', 'one').expect(202);
    const lines = intake.log.filter((line) => line['httpRequestId'] === 'one');
    assert.deepEqual(
      lines.map(({ msg }) => msg),
      ['request accepted', 'request answered'],
    );
  });

  it('is guarded against browsers and caches, and does not tell what it is made with', async () => {
    for (const response of [
      await intake.get('/v1/quota'),
      await intake.get('/v1/nothing'),
      await intake.get('/'),
    ]) {
      assert.equal(response.headers['x-content-type-options'], 'nosniff');
      assert.ok(response.headers['content-security-policy']);
      assert.equal(response.headers['x-powered-by'], undefined);
      assert.equal(response.headers['etag'], undefined);
    }
    const { headers } = await intake.get('/v1/quota');
    assert.equal(headers['content-security-policy'], "default-src 'none';frame-ancestors 'none'");
    assert.equal(headers['cross-origin-resource-policy'], 'same-origin');
    assert.match(headers['strict-transport-security'] ?? '', /^max-age=\d{8}/);
    assert.equal(headers['cache-control'], 'no-store');
    assert.equal((await intake.get('/v1/nothing')).headers['cache-control'], 'no-store');
  });

  it('is logged in one line with what was asked and answered, without query, headers or body', async () => {
    const comment = 'a confidential comment';
    await intake.post('/v1/investigations?secret=1', item(2, { comment })).set('X-Request-Id', 'two');
    const [line, ...more] = intake.log.filter(
      (line) => line['httpRequestId'] === 'two' && line['msg'] === 'request answered',
    );
    assert.equal(more.length, 0);
    const { time, durationMs, ...rest } = line ?? {};
    assert.ok(time && typeof durationMs === 'number');
    assert.deepEqual(rest, {
      level: 'info',
      service: 'intake-api',
      httpRequestId: 'two',
      method: 'POST',
      path: '/v1/investigations',
      route: '/v1/investigations',
      status: 202,
      caller: 'playbook',
      client: '127.0.0.1',
      tenant: 'default',
      operation: 'initiateInvestigation',
      msg: 'request answered',
    });
    const all = JSON.stringify(intake.log);
    for (const secret of [comment, 'secret=1', ...Object.values(keys)])
      assert.ok(!all.includes(secret), secret);
  });
});

describe('what the intake does not offer', () => {
  const intake = useIntake(useEmbeddedRedis());

  it('is a 404 for who is known, and a 401 for who is not', async () => {
    expectProblem(await intake.get('/v1/nothing'), 'route_not_found');
    expectProblem(await intake.get('/nothing'), 'route_not_found');
    expectProblem(await intake.get('/v1/investigations/%ZZ'), 'route_not_found');
    expectProblem(await intake.anonymously().get('/v1/nothing'), 'unauthenticated');
    expectProblem(await intake.anonymously().get(`/v1/investigations/${unknownId}`), 'unauthenticated');
  });

  it('leaves the body of a stranger unread', async () => {
    // Malformed and of the wrong type: had it been read, the answer would be another.
    const response = await intake
      .anonymously()
      .post('/v1/batches')
      .set('Content-Type', 'text/plain')
      .send('{'.repeat(100_000));
    expectProblem(response, 'unauthenticated');
  });
});

describe('a key', () => {
  const intake = useIntake(useEmbeddedRedis());

  it('is taken from either header, or from both when they agree', async () => {
    for (const headers of [
      { Authorization: `Bearer ${keys.reader}` },
      { Authorization: `bearer ${keys.reader}` },
      { 'X-API-Key': keys.reader },
      { Authorization: `Bearer ${keys.reader}`, 'X-API-Key': keys.reader },
    ]) {
      await intake.anonymously().get('/v1/quota').set(headers).expect(200);
    }
  });

  it('is never one of two that differ, in one header or in both', async () => {
    const [one, other] = [keys.reader, keys.operator];
    for (const [status, headers] of [
      [401, { authorization: `Bearer ${one}`, Authorization: `Bearer ${other}` }],
      [401, { Authorization: `Bearer ${one}`, authorization: 'Basic cHJveHk6cHJveHk=' }],
      [401, { 'X-API-Key': one, 'x-api-key': other }],
      [401, { 'X-API-Key': one, 'x-api-key': one, Authorization: `Bearer ${other}` }],
      [200, { authorization: `Bearer ${one}`, Authorization: `Bearer ${one}`, 'X-API-Key': one }],
    ] as [number, Record<string, string>][]) {
      const asked = await openRequest(intake.url, 'GET /v1/quota', headers);
      assert.equal((await asked.answered).status, status, JSON.stringify(headers));
      asked.close();
    }
  });

  it('in X-API-Key counts beside the Authorization of a proxy that is no bearer token', async () => {
    for (const authorization of ['Basic cHJveHk6cHJveHk=', 'Negotiate YII=', '']) {
      const headers = { 'X-API-Key': keys.reader, Authorization: authorization };
      await intake.anonymously().get('/v1/quota').set(headers).expect(200);
    }
  });

  it('of an operator may do what the other scopes allow', async () => {
    const asOperator = { 'X-API-Key': keys.operator };
    await intake.anonymously().get('/v1/quota').set(asOperator).expect(200);
    await intake.anonymously().post('/v1/investigations').set(asOperator).send(item(1)).expect(202);
  });
});

describe('an intake with INTAKE_AUTH=off', () => {
  const intake = useIntake(useEmbeddedRedis(), { INTAKE_AUTH: 'off' });

  it('lets everybody in and says so in the log when it starts', async () => {
    await intake.anonymously().post('/v1/investigations').send(item(1)).expect(202);
    await intake.anonymously().get('/v1/quota').expect(200);
    const warnings = intake.log.filter(({ level }) => level === 'warn').map(({ msg }) => String(msg));
    assert.deepEqual(warnings.filter((message) => message.includes('INTAKE_AUTH=off')).length, 1);
  });
});

describe('the probes and metrics of the intake', () => {
  const intake = useIntake(useEmbeddedRedis(), { DEFENDER_CALLS_PER_WINDOW: '3' });
  const scrape = async () => (await intake.anonymously().get('/metrics').expect(200)).text;

  it('need no credential', async () => {
    await intake.anonymously().get('/livez').expect(200);
    await intake.anonymously().get('/readyz').expect(200);
    await scrape();
  });

  it('show every series from the start', async () => {
    const text = await scrape();
    const series = [
      ...['accepted', 'coalesced', 'rejected'].map(
        (outcome) => `${queueSeries('diq_requests_total', { outcome })} 0`,
      ),
      ...openStatuses.map((status) => `${queueSeries('diq_requests_open', { status })} 0`),
      ...endStatuses.map((status) => `${queueSeries('diq_requests_ended_total', { status })} 0`),
      ...holdReasons.map((reason) => `${queueSeries('diq_hold_active', { reason })} 0`),
      `${queueSeries('diq_queue_oldest_wait_seconds')} 0`,
      `${queueSeries('diq_quota_used')} 0`,
      `${queueSeries('diq_quota_next_slot_seconds')} 0`,
      `${queueSeries('diq_slot_idle_seconds_total')} 0`,
      'diq_http_request_duration_seconds_count{method="POST",route="/v1/batches",status="503"} 0',
      'diq_http_request_duration_seconds_count{method="POST",route="/v1/investigations",status="503"} 0',
    ];
    for (const line of series) assert.ok(text.includes(`\n${line}\n`), line);
    for (const name of [
      'diq_quota_limit',
      'diq_quota_remaining',
      'diq_state_age_seconds',
      'process_cpu_seconds_total',
    ]) {
      assert.match(text, new RegExp(`\\n${name}(?:\\{[^}]*\\})? [0-9.]+`));
    }
  });

  it('count requests by what became of them at the door', async () => {
    await intake.post('/v1/batches', { requests: [item(1), item(2), item(1), 7] }).expect(202);
    await intake.post('/v1/investigations', item(2)).expect(202);
    await intake.post('/v1/investigations', {}).expect(400);
    await intake.post('/v1/batches', { requests: [7, 8] }).expect(400);
    const text = await scrape();
    assert.ok(
      text.includes(`\n${queueSeries('diq_requests_total', { outcome: 'accepted' })} 2\n`),
      'accepted',
    );
    assert.ok(
      text.includes(`\n${queueSeries('diq_requests_total', { outcome: 'coalesced' })} 2\n`),
      'coalesced',
    );
    assert.ok(
      text.includes(`\n${queueSeries('diq_requests_total', { outcome: 'rejected' })} 4\n`),
      'rejected',
    );
  });

  it('follow queue and quota', async () => {
    await beginCall(intake, item(1).machineId);
    await intake.ledger.hold('throttled', 60_000);
    const text = await waitFor(
      async () => {
        const text = await scrape();
        return text.includes(`${queueSeries('diq_hold_active', { reason: 'throttled' })} 1`) && text;
      },
      { what: 'the hold to show' },
    );
    assert.ok(text.includes(`\n${queueSeries('diq_requests_open', { status: 'queued' })} 2\n`), 'queued');
    assert.ok(
      text.includes(`\n${queueSeries('diq_requests_open', { status: 'dispatching' })} 2\n`),
      'dispatching',
    );
    assert.ok(text.includes(`\n${queueSeries('diq_quota_limit')} 3\n`), 'diq_quota_limit');
    assert.ok(text.includes(`\n${queueSeries('diq_quota_used')} 1\n`), 'diq_quota_used');
    assert.ok(text.includes(`\n${queueSeries('diq_quota_remaining')} 2\n`), 'diq_quota_remaining');
    assert.match(text, /diq_queue_oldest_wait_seconds\{[^}]*\} (?!0\n)[\d.]+\n/);
    // Until the hold a slot was free and work was there.
    assert.match(text, /diq_slot_idle_seconds_total\{[^}]*\} (?!0\n)[\d.]+\n/);
  });

  it('time requests by the pattern of their route, whatever was asked for', async () => {
    await intake.get(`/v1/investigations/${unknownId}`).expect(404);
    await intake.get('/wp-login.php').expect(404);
    const text = await scrape();
    const counted = (method: string, route: string, status: number) =>
      text.includes(
        `diq_http_request_duration_seconds_count{method="${method}",route="${route}",status="${status}"}`,
      );
    assert.ok(counted('GET', '/v1/investigations/:id', 404));
    assert.ok(counted('GET', 'unmatched', 404));
    assert.ok(counted('POST', '/v1/batches', 202));
    assert.ok(!text.includes('wp-login') && !text.includes(unknownId));
  });
});

describe('the probes and metrics while Redis is away', () => {
  const intake = useIntake(redisAway);

  it('tell that the process lives and that it is not ready', async () => {
    await intake.anonymously().get('/livez').expect(200);
    const response = await intake.anonymously().get('/readyz').expect(503);
    assert.deepEqual(response.body, { status: 'unavailable', version, checks: { redis: 'does not answer' } });
  });

  it('count what is refused meanwhile as POSTs answered 503', async () => {
    await intake.post('/v1/batches', { requests: [item(1)] }).expect(503);
    const { text } = await intake.anonymously().get('/metrics').expect(200);
    const refused =
      /\ndiq_http_request_duration_seconds_count\{method="POST",route="[^"]+",status="503"\} 1\n/;
    assert.match(text, refused);
  });

  it('are answered without Redis, with the age of what they show', async () => {
    const first = await stateAge(intake);
    assert.ok((await stateAge(intake)) > first);
  });
});

async function stateAge(intake: IntakeUnderTest): Promise<number> {
  const { text } = await intake.anonymously().get('/metrics').expect(200);
  return Number(/\ndiq_state_age_seconds ([0-9.]+)/.exec(text)?.[1]);
}
