import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { request } from 'undici';
import { openReceiver, type Receiver } from '@diq/intake-api/callbacks/test-support/receiver.ts';
import { callbackEnvironment } from '@diq/intake-api/test-support/callback-environment.ts';
import { requireRedisServer, startRedisServer, type RedisServer } from '@diq/testing/redis-process.ts';
import { allOutput, forgetOutput } from '@diq/testing/service-process.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { makeRedisUsers } from './support/redis-users.ts';
import { machineIds, startStack, type Stack } from '../end-to-end/support/stack.ts';

const limit = 4;
const windowMs = 2_000;

describe('the users that deploy/create-secrets.sh gives to Redis', function () {
  this.timeout(120_000);
  let users: Awaited<ReturnType<typeof makeRedisUsers>> | undefined;
  let server: RedisServer;
  let urls: ReturnType<Awaited<ReturnType<typeof makeRedisUsers>>['urls']>;
  let operator: Redis;
  let receiver: Receiver;
  let stack: Stack;

  before(async function () {
    requireRedisServer.call(this);
    forgetOutput();
    users = await makeRedisUsers();
    server = await startRedisServer({ appendOnly: true, args: ['--aclfile', users.aclFile] });
    urls = users.urls(server.port);
    operator = new Redis(urls.operator);
    // The second attempt of the first callback is a delayed job.
    receiver = await openReceiver({ answer: (number) => ({ status: number === 0 ? 500 : 204 }) });
    stack = await startStack({
      redisUrl: urls.intake,
      workerEnv: { REDIS_URL: urls.worker },
      limit,
      windowMs,
      callTimeoutMs: 1_000,
      workers: 1,
      env: callbackEnvironment(receiver.port),
    });
  });
  after(async () => {
    await stack?.stop();
    operator?.disconnect();
    await receiver?.close();
    await server?.stop();
    await users?.remove();
  });
  afterEach('nothing that is needed was refused', async () => {
    assert.deepEqual(await refused(), []);
  });

  /** What was refused since the last call, by user; but for what a worker asks for and can do without. */
  async function refused(): Promise<string[]> {
    const log = (await operator.call('ACL', 'LOG', '1000')) as unknown[][];
    await operator.call('ACL', 'LOG', 'RESET');
    return log
      .map((entry) => {
        const field = (name: string) => String(entry[entry.indexOf(name) + 1]);
        return `${field('username')}: ${field('reason')} ${field('object')} (${field('context')})`;
      })
      .filter((line) => line !== 'worker: command config|get (toplevel)');
  }

  const call = async (
    method: 'GET' | 'POST' | 'DELETE' | 'PATCH',
    path: string,
    { status = 200, body, headers = {} }: { status?: number; body?: object; headers?: object } = {},
  ) => {
    const answer = await request(`${stack.api.origin}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${stack.secrets.apiKey}`,
        ...(body ? { 'content-type': 'application/json' } : {}),
        ...headers,
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    const text = await answer.body.text();
    assert.equal(answer.statusCode, status, `${method} ${path}: ${text}`);
    return { text, headers: answer.headers };
  };
  const json = async (...args: Parameters<typeof call>) =>
    JSON.parse((await call(...args)).text) as Record<string, never> & { id: string };
  const item = (fields: object = {}) => ({ machineId: machineIds(1)[0], comment: 'of a user', ...fields });
  const pause = () => call('POST', '/v1/queue/pause', { body: { reason: 'to act on what waits' } });
  const resume = () => call('POST', '/v1/queue/resume', { body: {} });
  const untilStatus = (id: string, status: string) =>
    waitFor(async () => (await stack.api.findRequest(id)).status === status, {
      what: `request ${id} to be ${status}`,
      timeoutMs: 30_000,
    });

  it('let work in: requests, batches, repeats and dry runs, and have calls made', async () => {
    const repeated = { headers: { 'idempotency-key': randomUUID() }, status: 202 };
    const machineId = machineIds(1)[0];
    const single = await json('POST', '/v1/investigations', { body: item({ machineId }), ...repeated });
    await call('POST', '/v1/investigations', { body: item({ machineId }), ...repeated });
    const requests = [item(), item({ priority: 'critical' }), item({ machineId }), { machineId: 'none' }];
    const batch = await json('POST', '/v1/batches', {
      body: { requests, callbackUrl: receiver.url('/batch') },
      status: 202,
      headers: { 'idempotency-key': randomUUID() },
    });
    await call('POST', '/v1/investigations?dryRun=true', { body: item() });
    await call('POST', '/v1/batches?dryRun=true', { body: { requests } });
    await call('POST', '/v1/batches', {
      body: { requests: [item({ strict: true, notAfter: new Date(Date.now() + 60_000).toISOString() })] },
      status: 202,
    });
    const called = item({ callbackUrl: receiver.url('/request'), notAfter: '2096-01-01T00:00:00Z' });
    const { id } = await json('POST', '/v1/investigations', { body: called, status: 202 });
    await stack.api.untilCompleted(batch.id, 30_000);
    await untilStatus(single.id, 'started');
    await untilStatus(id, 'started');
    const arrived = () => receiver.arrivals.map(({ path }) => path);
    await waitFor(() => arrived().length >= 3, { what: 'both callbacks and a repeat', timeoutMs: 30_000 });
  });

  it('let callers and people look', async () => {
    const batch = await stack.api.postBatch(machineIds(2));
    const { id } = batch.items[0] as { id: string };
    for (const path of [
      '/v1/investigations',
      '/v1/investigations?limit=1',
      '/v1/investigations?status=started&source=soar',
      `/v1/investigations?machineId=${machineIds(1)[0]}`,
      `/v1/investigations?batchId=${batch.id}`,
      `/v1/investigations/${id}`,
      `/v1/batches/${batch.id}`,
      `/v1/batches/${batch.id}/items`,
      '/v1/quota',
      '/v1/audit',
      '/readyz',
      '/metrics',
    ])
      await call('GET', path);
    const { headers } = await call('POST', '/session', {
      status: 204,
      body: { apiKey: stack.secrets.apiKey },
      headers: { origin: stack.api.origin },
    });
    const cookie = String(headers['set-cookie']).split(';')[0];
    await call('GET', '/session', { headers: { cookie } });
    const events = await request(`${stack.api.origin}/v1/events`, { headers: { cookie } });
    assert.equal(events.statusCode, 200);
    for await (const chunk of events.body) if (String(chunk).includes('event: state')) break;
    await call('DELETE', '/session', { status: 204, headers: { cookie, origin: stack.api.origin } });
    await stack.api.untilCompleted(batch.id, 30_000);
    await call('GET', `/v1/investigations/${id}/result`);
  });

  it('let operators and callers act on what waits', async () => {
    await pause();
    const batch = await stack.api.postBatch(machineIds(4));
    const other = await stack.api.postBatch(machineIds(2));
    const [first = '', second = '', third = ''] = batch.items.map(({ id }) => id ?? '');
    await call('PATCH', `/v1/investigations/${first}`, { body: { priority: 'critical' } });
    const notAfter = new Date(Date.now() + 1_500).toISOString();
    await call('PATCH', `/v1/investigations/${second}`, { body: { notAfter } });
    await call('POST', `/v1/investigations/${first}/move-to-head`, { body: {} });
    await call('DELETE', `/v1/investigations/${third}`);
    await call('DELETE', `/v1/batches/${other.id}`);
    const bulk = await stack.api.postBatch(machineIds(3));
    await call('POST', '/v1/investigations/cancel', { body: { batchId: bulk.id } });
    await untilStatus(second, 'expired');
    await resume();
    await stack.api.untilCompleted(batch.id, 30_000);
    for (const filter of [{ batchId: other.id }, { endedBefore: new Date().toISOString() }])
      await call('POST', '/v1/investigations/purge', { body: { ...filter, reason: 'a test' } });
    await call('POST', '/v1/investigations/purge', { body: { caller: 'test', reason: 'a test' } });
  });

  it('let workers go on after what fails: a 429, a lost answer, a worker that is killed, a job that is lost', async () => {
    const [throttled = '', lost = '', hung = '', refusedOne = '', unknown = ''] = machineIds(5);
    // One that the simulator does not know.
    const failing = unknown.replace(/^..../, 'dead');
    const faults = [
      { machineId: throttled, action: { kind: 'status', status: 429, retryAfter: 1 } },
      { machineId: lost, action: { kind: 'hang', made: true } },
      { machineId: hung, action: { kind: 'hang' } },
      { machineId: refusedOne, action: { kind: 'status', status: 400, body: {} } },
    ];
    for (const { machineId, action } of faults)
      await stack.control.addFault({ target: 'start', times: 1, when: { machineId }, action });
    const batch = await stack.api.postBatch([throttled, lost, refusedOne, failing, ...machineIds(3)]);
    await stack.api.untilCompleted(batch.id, 40_000);
    const failed = batch.items[3]?.id ?? '';
    const { id } = await json('POST', `/v1/investigations/${failed}/retry`, { body: {}, status: 202 });
    await untilStatus(id, 'failed');

    const seen = (await stack.control.calls()).calls.length;
    const hanging = await stack.api.postBatch([hung]);
    await stack.control.untilCalls(seen + 1);
    stack.workers[0]?.kill('SIGKILL');
    await stack.workers[0]?.exited;
    await pause();
    const jobless = await stack.api.postBatch(machineIds(1));
    await deleteJobs();
    await operator.script('FLUSH');
    await stack.addWorker();
    await resume();
    await stack.api.untilCompleted(hanging.id, 40_000);
    await stack.api.untilCompleted(jobless.id, 40_000);
  });

  it('show a command that a rule lacks: work is refused, in words, and the server notes it', async () => {
    await operator.call('ACL', 'SETUSER', 'intake', '-zadd');
    await call('POST', '/v1/investigations', { body: item(), status: 503 });
    assert.ok((await refused()).includes('intake: command zadd (lua)'));
    await operator.call('ACL', 'SETUSER', 'intake', '+zadd');
  });

  it('let a worker go on that finds Redis emptied, and both services stop in order', async () => {
    await operator.flushdb();
    const batch = await stack.api.postBatch(machineIds(2));
    await stack.api.untilCompleted(batch.id, 60_000);
    for (const service of [stack.workers.at(-1), ...stack.intakes])
      assert.equal((await service?.stop('SIGTERM', 15_000))?.code, 0);
  });

  it('refuse CONFIG to a worker, which says in one line of its start what it could not check', () => {
    const said = allOutput()
      .split('\n')
      .filter((line) => line.includes('durability settings of Redis that could not be checked'));
    assert.equal(said.length, stack.workers.length);
    for (const line of said) assert.match(line, /"settings":\["appendfsync"\]/);
  });

  async function deleteJobs(): Promise<void> {
    const [prioritized = ''] = await operator.keys('*:prioritized');
    const ids = await operator.zrange(prioritized, 0, '-1');
    assert.ok(ids.length > 0);
    await operator.del(prioritized, ...ids.map((id) => prioritized.replace(/prioritized$/, id)));
  }

  describe('keep', () => {
    const services = ['intake', 'worker'] as const;
    const outside = 'keys of another application';
    let clients: Record<(typeof services)[number], Redis>;
    before(async () => {
      const open = (url: string) => new Redis(url, { disableClientInfo: true });
      clients = { intake: open(urls.intake), worker: open(urls.worker) };
      await operator.set(outside, 'as it was');
    });
    after(() => Object.values(clients ?? {}).forEach((client) => client.disconnect()));
    afterEach('forget what was refused on purpose', () => operator.call('ACL', 'LOG', 'RESET'));

    const attempts = [
      'ACL SETUSER intake +@all',
      'ACL WHOAMI',
      'BGREWRITEAOF',
      'CLIENT KILL TYPE normal',
      'CLIENT LIST',
      'CONFIG GET dir',
      'CONFIG SET appendonly no',
      'DBSIZE',
      'DEBUG SLEEP 0',
      'FLUSHALL',
      'FLUSHDB',
      'FUNCTION LIST',
      'KEYS *',
      'MONITOR',
      'RANDOMKEY',
      'REPLICAOF NO ONE',
      'SAVE',
      'SCAN 0',
      'SCRIPT FLUSH',
      'SHUTDOWN NOSAVE',
      'SLOWLOG GET',
      'SWAPDB 0 1',
    ];
    const ofOthers: [string, string, ...string[]][] = [
      ['GET', outside],
      ['SET', outside, 'changed'],
      ['DEL', outside],
      ['EVAL', "return redis.call('GET', KEYS[1])", '1', outside],
      ['EVAL', `return redis.call('SET', '${outside}', 'changed')`, '0'],
      ['PUBLISH', outside, 'message'],
      ['SUBSCRIBE', outside],
    ];
    for (const user of services) {
      for (const [command, ...args] of [...attempts.map((one) => one.split(' ')), ...ofOthers])
        it(`the ${user} from ${[command, ...args].join(' ')}`, async () => {
          await assert.rejects(
            clients[user].call(command ?? '', ...args),
            /NOPERM|The user executing the script|ACL failure in script/,
          );
          assert.equal(await operator.get(outside), 'as it was');
        });
    }

    it("the intake from Bottleneck's keys and messages", async () => {
      await clients.worker.set('b_diq:{any}', '1');
      await assert.rejects(clients.intake.get('b_diq:{any}'), /NOPERM/);
      await assert.rejects(clients.intake.subscribe('b_diq:{any}'), /NOPERM/);
    });

    it('those out who have no password', async () => {
      const stranger = new Redis(server.port, { lazyConnect: true, retryStrategy: () => null });
      stranger.on('error', () => undefined);
      await assert.rejects(stranger.get(outside), /NOAUTH/);
      stranger.disconnect();
    });
  });
});
