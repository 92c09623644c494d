import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requireTools } from '@diq/testing/require-tools.ts';
import { startAlertReceiver } from './support/alert-receiver.ts';
import { startAlertmanager } from './support/monitoring.ts';
import type { ServerProcess } from './support/server-process.ts';

const queues = 300;

describe('Alertmanager on our configuration, with 300 queues', function () {
  this.timeout(60_000);
  let dir: string;
  let receiver: Awaited<ReturnType<typeof startAlertReceiver>>;
  let alertmanager: ServerProcess;

  before(requireTools('prometheus-alertmanager'));
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'diq-alertmanager-'));
    receiver = await startAlertReceiver();
    alertmanager = await startAlertmanager(dir, receiver.url);
  });
  afterEach(async () => {
    await alertmanager?.stop();
    await receiver?.close();
    await rm(dir, { recursive: true, force: true });
  });

  async function fire(...alerts: Readonly<Record<string, string>>[]): Promise<void> {
    const response = await fetch(`${alertmanager.url}/api/v2/alerts`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(alerts.map((labels) => ({ labels }))),
    });
    assert.equal(response.status, 200, await response.text());
  }

  const ofEach = (labels: Readonly<Record<string, string>>) =>
    Array.from({ length: queues }, (_, i) => ({
      ...labels,
      tenant: `tenant-${i}`,
      operation: 'runAntiVirusScan',
    }));
  const single = { alertname: 'HoldActiveTooLong', tenant: 'contoso', operation: 'startInvestigation' };
  const names = () => receiver.received.map(({ labels }) => [labels['alertname'], labels['reason']]);

  it('sends one message for the alerts of all queues, which names fifty of them and says how many more there are', async () => {
    await fire(...ofEach({ alertname: 'DrainTooLong', severity: 'warning' }));
    await receiver.until('DrainTooLong', 'firing');
    const [message, ...others] = receiver.messages;
    assert.equal(others.length, 0);
    assert.deepEqual([message?.alerts.length, message?.truncatedAlerts], [50, queues - 50]);
  });

  it('sends the alert of what many have in common, and keeps back those of the queues that have it', async () => {
    await fire({ alertname: 'ManyQueuesStopped', reason: 'failing', severity: 'critical' });
    await receiver.until('ManyQueuesStopped', 'firing');
    await fire(...ofEach({ alertname: 'HoldActiveTooLong', reason: 'failing', severity: 'critical' }), {
      ...single,
      reason: 'disabled',
      severity: 'critical',
    });
    await receiver.until('HoldActiveTooLong', 'firing');
    assert.deepEqual(names(), [
      ['ManyQueuesStopped', 'failing'],
      ['HoldActiveTooLong', 'disabled'],
    ]);
  });

  for (const cause of ['WorkerAbsent', 'RedisUnavailable']) {
    it(`sends ${cause}, and keeps back what queues say meanwhile`, async () => {
      await fire({ alertname: cause, severity: 'critical' });
      await receiver.until(cause, 'firing');
      await fire(...ofEach({ alertname: 'HoldActiveTooLong', reason: 'failover', severity: 'critical' }));
      // Of processes: sent, and later than what is kept back would have been.
      await fire({ alertname: 'CallbacksFailing', severity: 'warning' });
      await receiver.until('CallbacksFailing', 'firing');
      assert.deepEqual(names(), [
        [cause, undefined],
        ['CallbacksFailing', undefined],
      ]);
    });
  }
});
