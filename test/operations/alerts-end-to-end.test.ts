import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { machineIds, startStack } from '../end-to-end/support/stack.ts';
import type { Stack } from '../end-to-end/support/stack.ts';
import { startAlertReceiver } from './support/alert-receiver.ts';
import { dashboardQueries, metricsInAlerts } from './support/queries.ts';
import { startMonitoring } from './support/monitoring.ts';
import type { Monitoring } from './support/monitoring.ts';
import { requireTools } from '@diq/testing/require-tools.ts';

describe('a real Prometheus and Alertmanager on our configuration', function () {
  this.timeout(90_000);
  const redis = useEmbeddedRedis();
  let stack: Stack | undefined;
  let monitoring: Monitoring | undefined;
  let receiver: Awaited<ReturnType<typeof startAlertReceiver>> | undefined;

  before(requireTools('prometheus', 'prometheus-alertmanager'));
  before(async () => {
    stack = await startStack({ redisUrl: redis.url, limit: 5, windowMs: 4_000, workers: 2 });
    receiver = await startAlertReceiver();
    monitoring = await startMonitoring({
      receiverUrl: receiver.url,
      ports: {
        intake: stack.intakes.map(({ ready }) => ready.port),
        worker: stack.workers.map(({ ready }) => ready.port),
      },
    });
  });
  after(async () => {
    await monitoring?.stop();
    await receiver?.close();
    await stack?.stop();
  });

  it('scrapes every process', async () => {
    assert.ok(monitoring);
    const { jobsUp } = monitoring;
    await waitFor(async () => (await jobsUp()).length === 3, { what: 'three targets', timeoutMs: 10_000 });
    assert.deepEqual((await jobsUp()).toSorted(), ['intake', 'worker', 'worker']);
  });

  it('sends the alert when Defender throttles although we kept the quota, and says when it is over', async () => {
    assert.ok(stack && receiver);
    await stack.control.addFault({
      target: 'start',
      times: 1,
      action: { kind: 'status', status: 429, retryAfter: 1 },
    });
    const { id } = await stack.api.postBatch(machineIds(4));
    const firing = await receiver.until('ThrottledByOthers', 'firing');
    assert.equal(firing.labels['severity'], 'warning');
    assert.equal(firing.annotations['runbook_url'], 'docs/runbook.md#throttledbyothers');

    const batch = await stack.api.untilCompleted(id, 40_000);
    assert.equal(batch.counts['started'], 4);
    await receiver.until('ThrottledByOthers', 'resolved');
  });

  it('sent nothing else: all was well but for that', () => {
    const others = receiver?.received.filter(({ labels }) => labels['alertname'] !== 'ThrottledByOthers');
    assert.deepEqual(others, []);
  });

  it('has a series for every query of the dashboard', async () => {
    assert.ok(monitoring);
    for (const expr of await dashboardQueries()) {
      assert.notEqual((await monitoring.query(expr)).length, 0, expr);
    }
  });

  it('has a series for everything that the rules and alerts look at', async () => {
    assert.ok(monitoring);
    for (const selector of await metricsInAlerts()) {
      assert.notEqual((await monitoring.query(selector)).length, 0, selector);
    }
  });
});
