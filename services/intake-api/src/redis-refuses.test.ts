import assert from 'node:assert/strict';
import { createLogger } from '@diq/runtime/logging/logger.ts';
import { startRefusingProxy, type RefusingProxy } from '@diq/testing/refusing-proxy.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import type { Dependencies } from './dependencies.ts';
import { createApp } from './app.ts';
import { createMetrics } from './observability/metrics.ts';
import { keys } from './test-support/credentials.ts';
import { expectProblem } from './test-support/expect-problem.ts';
import { useIntake } from './test-support/intake-under-test.ts';
import { item, unknownId } from './test-support/items.ts';
import { routesOf } from './test-support/routes-of.ts';

/** What a server, a managed service or a proxy in front of one answers that cannot do its work now. */
const refusals = [
  "OOM command not allowed when used memory > 'maxmemory'.",
  "OOM command not allowed when used memory > 'maxmemory'. script: 5f9, on @user_script:93.",
  "READONLY You can't write against a read only replica.",
  'MOVED 3999 127.0.0.1:6381',
  'ASK 3999 127.0.0.1:6381',
  "CROSSSLOT Keys in request don't hash to the same slot",
  'TRYAGAIN Multiple keys request during rehashing of slot',
  'CLUSTERDOWN Hash slot not served',
  "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
  'LOADING Redis is loading the dataset in memory',
  'BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.',
  'UNKILLABLE Sorry the script already executed write commands against the dataset.',
  'MISCONF Redis is configured to save RDB snapshots, but it is currently unable to persist to disk.',
  'NOREPLICAS Not enough good replicas to write.',
  'NOMASTERLINK Not connected to a master',
  'NOAUTH Authentication required.',
  'WRONGPASS invalid username-password pair or user is disabled.',
  "NOPERM this user has no permissions to run the 'evalsha' command",
  "ERR The user executing the script can't run this command or subcommand script: 5f9, on @user_script:93.",
  "ERR The user executing the script can't access at least one of the keys mentioned in the command arguments",
  "ERR Error running script (call to f_5f9): @user_script:93: @user_script: 93: -OOM command not allowed when used memory > 'maxmemory'.",
  'ERR max number of clients reached',
  'ERR max request limit exceeded. Limit: 500000, Usage: 500000.',
  'ERR max daily request limit exceeded',
  'EXECABORT Transaction discarded because of previous errors.',
  'DENIED Redis is running in protected mode',
  'ERR unknown command `EVALSHA`, with args beginning with: ',
  'SOMETHING that a version to come may say',
];

const asks: Readonly<Record<string, object | undefined>> = {
  'POST /v1/batches': { requests: [item(1), item(2)] },
  'GET /v1/batches': undefined,
  'GET /v1/batches/:id': undefined,
  'DELETE /v1/batches/:id': undefined,
  'GET /v1/batches/:id/items': undefined,
  'GET /v1/investigations': undefined,
  'GET /v1/investigations?status=queued&source=s': undefined,
  'GET /v1/investigations?machineId=0000000000000000000000000000000000000001': undefined,
  [`GET /v1/investigations?batchId=${unknownId}`]: undefined,
  'POST /v1/investigations': item(3),
  'POST /v1/investigations?dryRun=true': item(3),
  'GET /v1/investigations/:id': undefined,
  'PATCH /v1/investigations/:id': { priority: 'high' },
  'DELETE /v1/investigations/:id': undefined,
  'GET /v1/investigations/:id/result': undefined,
  'GET /v1/investigations/:id/package': undefined,
  'GET /v1/investigations/:id/results/:index': undefined,
  'POST /v1/investigations/cancel': { source: 's' },
  'POST /v1/investigations/purge': { caller: 's' },
  'POST /v1/investigations/:id/move-to-head': {},
  'POST /v1/investigations/:id/retry': {},
  'POST /v1/investigations/retry': { source: 's' },
  'POST /v1/queue/pause': { reason: 'why' },
  'POST /v1/queue/resume': {},
  'GET /v1/audit': undefined,
  'GET /v1/quota': undefined,
  'GET /v1/queue/next': undefined,
  'GET /v1/queues': undefined,
  'POST /session': { apiKey: keys.reader },
};
/** Answered without Redis: a stream says within it that nothing can be read, and which tenants there are stands in the settings. */
const withoutRedis = ['GET /v1/events', 'GET /v1/tenants', 'GET /v1/operations'];

describe('a Redis that answers and refuses', () => {
  const redis = useEmbeddedRedis();
  let proxy: RefusingProxy | undefined;
  before('start the proxy', async () => {
    proxy = await startRefusingProxy(redis.url);
  });
  const intake = useIntake({
    get url() {
      return proxy?.url ?? '';
    },
  });
  after('stop the proxy', () => proxy?.close());
  afterEach('let the server answer again', async () => {
    proxy?.refuseWith(undefined);
    const isReady = async () => (await intake.anonymously().get('/readyz')).status === 200;
    // For some refusals the connection is made anew.
    await waitFor(isReady, { what: 'the intake to be ready again' });
  });

  it('is tried out on every route that needs it', () => {
    const asked = Object.keys(asks).map((route) => route.replace(/\?.*$/, ''));
    const offered = routesOf(createApp(emptyParts)).filter((route) => route.includes(' /v1/'));
    assert.deepEqual(
      offered.filter((route) => !asked.includes(route) && !withoutRedis.includes(route)),
      [],
    );
  });

  for (const refusal of refusals) {
    it(`is a 503 with Retry-After on every route: ${refusal}`, async () => {
      proxy?.refuseWith(refusal);
      for (const [route, body] of Object.entries(asks)) {
        const [method = '', path = ''] = route.split(' ');
        const verb = method.toLowerCase() as 'get' | 'post' | 'patch' | 'delete';
        const asked = intake.anonymously()[verb](path.replace(':id', unknownId).replace(':index', '0'));
        void asked.set('Origin', intake.url).set('X-API-Key', keys.operator).set('Idempotency-Key', 'key-1');
        const answer = await (body ? asked.send(body) : asked);
        const what = `${route}: ${answer.status} ${answer.text}`;
        assert.equal(answer.status, 503, what);
        expectProblem(answer, 'redis_unavailable');
        assert.equal(answer.headers['retry-after'], '5', what);
      }
    });
  }

  it('is served again as soon as it does its work', async () => {
    await intake.post('/v1/investigations', item(4)).expect(202);
  });
});

/** Enough to make an app of, which is only looked at. */
const emptyParts = {
  logger: createLogger({ level: 'silent', service: 'none' }),
  metrics: createMetrics(),
  closing: new AbortController().signal,
  trustedProxies: [],
} as unknown as Dependencies;
