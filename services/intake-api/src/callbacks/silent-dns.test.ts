import assert from 'node:assert/strict';
import { createNameResolver, type ResolveName } from '@diq/runtime/dns/name-resolver.ts';
import { openDnsServer, type DnsServer } from '@diq/testing/dns-server.ts';
import { requireRedisServer, startRedisServer, type RedisServer } from '@diq/testing/redis-process.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { callbackEnvironment } from '../test-support/callback-environment.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { item } from '../test-support/items.ts';
import { openReceiver, type Receiver } from './test-support/receiver.ts';

const silentHosts = ['quiet.example', 'mute.example', 'dumb.example', 'still.example'];

describe('hosts of whose names DNS says nothing, with 50 callbacks due for each', () => {
  let dns: DnsServer;
  let receiver: Receiver;
  let redis: RedisServer;
  let resolve: ResolveName;
  before(requireRedisServer);
  before(async () => {
    const silent = Object.fromEntries(silentHosts.map((host) => [host, 'silent' as const]));
    dns = await openDnsServer({ ...silent, 'well.example': ['127.0.0.1'] });
    resolve = createNameResolver({ servers: [dns.address], timeoutMs: 2_000 });
    receiver = await openReceiver();
    redis = await startRedisServer({ appendOnly: true });
  });
  const intake = useIntake(
    {
      // By its name, which takes a place where the system resolves names.
      get url() {
        return redis.url.replace('127.0.0.1', 'localhost');
      },
    },
    {
      ...callbackEnvironment(),
      get CALLBACK_ALLOWED_HOSTS() {
        return [...silentHosts, `well.example:${receiver.port}`].join();
      },
      CALLBACK_MAX_PER_MINUTE: '10000',
    },
    {
      callbackTiming: {
        moveIntervalMs: 10,
        busyMs: 20,
        closeGraceMs: 20,
        timeoutMs: 100,
        schedule: { delaysMs: [50], giveUpAfterMs: 60_000 },
      },
      callbackConnection: { resolve: (name) => resolve(name) },
    },
  );
  after(async () => {
    await Promise.all([redis.stop(), receiver.close(), dns.close()]);
  });

  /** Accepts as many requests with this callback, and ends them. */
  async function endRequests(count: number, callbackUrl: string): Promise<void> {
    const requests = Array.from({ length: count }, () => ({ ...item((number += 1)), callbackUrl }));
    const { headers } = await intake.post('/v1/batches', { requests }).expect(202);
    await intake.as('playbook', 'delete', headers['location'] ?? '').expect(200);
  }
  let number = 0;

  const deliverToWell = async () => {
    await endRequests(1, `http://well.example:${receiver.port}/hook`);
    await receiver.next();
  };

  it('keep no other host waiting, nor the intake from coming back with Redis', async () => {
    for (const host of silentHosts) await endRequests(50, `http://${host}/hook`);
    await waitFor(() => silentHosts.every((host) => dns.questions.includes(`${host} A`)), {
      what: 'every name to be asked for',
    });
    await deliverToWell();

    const isReady = async () => (await intake.anonymously().get('/readyz')).status === 200;
    await redis.kill();
    await waitFor(async () => !(await isReady()), { what: 'the intake to miss Redis' });
    await redis.restart();
    await waitFor(isReady, { what: 'the intake to be ready' });
    const asked = dns.questions.length;
    await waitFor(() => dns.questions.length > asked, { what: 'callbacks to be tried again' });
    const inPool = () => process.getActiveResourcesInfo().filter((one) => one === 'GetAddrInfoReqWrap');
    assert.deepEqual(inPool(), []);
    await deliverToWell();
  });
});
