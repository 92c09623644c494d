import assert from 'node:assert/strict';
import { queryObjects } from 'node:v8';
import Bottleneck from 'bottleneck';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { watchCommands } from '@diq/testing/watch-commands.ts';
import { useLedgerConnections } from '../test-support/ledger-connections.ts';
import { createLimiterOnDemand, type LimiterOnDemand } from './limiter-on-demand.ts';
import { openLimiterConnection, type LimiterConnection } from './permit-limiter.ts';

const idleMs = 50;
const hourMs = 3_600_000;

describe('limiters that are open only while calls are due', () => {
  const redis = useEmbeddedRedis();
  const connections = useLedgerConnections();
  let connection: LimiterConnection;
  let limiters: LimiterOnDemand[];
  const errors: unknown[] = [];
  beforeEach('open their connection', async () => {
    await redis.flush();
    limiters = [];
    errors.length = 0;
    connection = openLimiterConnection(await connections.open(redis.url), (error) => errors.push(error));
  });
  afterEach('close them', async () => {
    await Promise.all(limiters.map((limiter) => limiter.close()));
    await connection.close();
    assert.deepEqual(errors, []);
  });

  function limiterOf(
    queue: string,
    own: { windowMs?: number; idleMs?: number | undefined } = {},
  ): LimiterOnDemand {
    const { windowMs = hourMs, ...rest } = own;
    const limits = [{ calls: 1, windowMs }];
    const settings = { keySpace: `test:{${queue}}`, limits, callTimeoutMs: 1_000 };
    const onError = (error: unknown) => errors.push(error);
    const limiter = createLimiterOnDemand({ connection, idleMs, onError, ...settings, ...rest });
    limiters.push(limiter);
    return limiter;
  }
  const isOpen = async (queue: string) =>
    (await redis.client.pubsub('CHANNELS', `b_test:{${queue}}:permits`)).length > 0;
  const untilClosed = (queue: string) =>
    waitFor(async () => !(await isOpen(queue)), { what: 'the limiter to be closed', intervalMs: 5 });

  it('grant no permit again that was kept before they were closed', async () => {
    const limiter = limiterOf('kept');
    const permit = await limiter.tryAcquire();
    permit?.spent();
    permit?.keepForOneWindow();
    await untilClosed('kept');
    assert.equal(await limiter.tryAcquire(), undefined);
  });

  it('grant a kept permit when its window is over, though they were closed meanwhile', async () => {
    const windowMs = 400;
    const limiter = limiterOf('window', { windowMs });
    const permit = await limiter.tryAcquire();
    permit?.spent();
    permit?.keepForOneWindow();
    const keptAtMs = performance.now();
    await untilClosed('window');
    await waitFor(() => limiter.tryAcquire(), { what: 'the permit', intervalMs: 5 });
    const tookMs = performance.now() - keptAtMs;
    assert.ok(tookMs >= windowMs - 1 && tookMs < windowMs + 300, `after ${Math.round(tookMs)} ms`);
  });

  it('stay open while a permit is in hand, whose lease is extended when its call ends', async () => {
    const limiter = limiterOf('in-hand');
    const permit = await limiter.tryAcquire();
    const other = limiterOf('other');
    await other.tryAcquire().then((unused) => unused?.release());
    await untilClosed('other');
    assert.equal(await isOpen('in-hand'), true);
    permit?.release();
    await untilClosed('in-hand');
  });

  it('share their connections, however many there are, and send nothing once they are closed', async () => {
    const count = async () =>
      String(await redis.client.client('LIST'))
        .trim()
        .split('\n').length;
    (await limiterOf('first').tryAcquire())?.release();
    const before = await count();
    const many = Array.from({ length: 50 }, (_, i) => limiterOf(`many-${i}`));
    for (const limiter of many) {
      const permit = await limiter.tryAcquire();
      assert.ok(permit, 'each has a permit of its own');
      permit.release();
    }
    assert.equal(await count(), before);
    const open = () => redis.client.pubsub('CHANNELS', 'b_*');
    await waitFor(async () => (await open()).length === 0, { what: 'all to be closed', intervalMs: 10 });
  });

  it('are closed before their first heartbeat', async () => {
    const watch = await watchCommands(redis.client);
    const limiter = limiterOf('usual', { idleMs: undefined });
    (await limiter.tryAcquire())?.release();
    await untilClosed('usual');
    await watch.untilNow();
    watch.close();
    const published = watch.seen.filter(([name]) => name?.toLowerCase() === 'publish').length;
    // Its settings, and that its permit was released; a heartbeat would be a third one.
    assert.equal(published, 2);
  });

  it('hold on to nothing of what was closed', async () => {
    const before = queryObjects(Bottleneck);
    (await limiterOf('gone').tryAcquire())?.release();
    assert.ok(queryObjects(Bottleneck) > before);
    await untilClosed('gone');
    await waitFor(() => queryObjects(Bottleneck) <= before, { what: 'its memory to be free' });
  });

  it('are opened again after an opening that failed', async () => {
    const limiter = limiterOf('broken');
    await redis.client.set('b_test:{broken}:permits_settings', 'not a hash');
    await assert.rejects(limiter.tryAcquire(), /WRONGTYPE/);
    await redis.client.del('b_test:{broken}:permits_settings');
    assert.ok(await limiter.tryAcquire());
  });
});
