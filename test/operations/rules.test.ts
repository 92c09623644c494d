import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { metricsInAlerts, readRules } from './support/queries.ts';
import { requireTools } from '@diq/testing/require-tools.ts';
import { evaluateManyQueues } from './support/many-queues.ts';
import { shortened } from './support/shortened-rules.ts';

const run = promisify(execFile);
const cwd = fileURLToPath(new URL('../../deploy/prometheus/', import.meta.url));

const testFiles = ['alerts.test.yml', 'alerts-over-hours.test.yml'];

describe("Prometheus' rules", function () {
  this.timeout(180_000);

  describe('for promtool', () => {
    before(requireTools('promtool'));

    it('are valid', async () => {
      await run('promtool', ['check', 'rules', 'rules.yml', 'alerts.yml'], { cwd });
    });

    it('belong to a configuration that is valid', async () => {
      await run('promtool', ['check', 'config', '--syntax-only', 'prometheus.yml'], { cwd });
    });

    it('fire when they should and are silent when they should', async () => {
      await run('promtool', ['test', 'rules', ...testFiles], { cwd });
    });
  });

  describe('over 1,000 queues', () => {
    before(requireTools('promtool'));
    const queues = 1_000;

    it('fire once where no worker is up, although every queue wastes its slots', async () => {
      await evaluateManyQueues({
        queues,
        ofEach: { diq_slot_idle_seconds_total: '0+60x20', diq_quota_limit: '5x20' },
        others: { 'up{job="worker",instance="a"}': '0x20', 'up{job="intake",instance="b"}': '1x20' },
        atMinute: 18,
        firing: ['WorkerAbsent'],
      });
    });

    it('fire once where Redis is away: the last reading of every queue says that all was well', async () => {
      await evaluateManyQueues({
        queues,
        ofEach: { diq_slot_idle_seconds_total: '7x20', diq_quota_limit: '5x20', diq_quota_remaining: '0x20' },
        others: {
          'up{job="worker",instance="a"}': '1x20',
          'up{job="intake",instance="b"}': '1x20',
          'diq_state_age_seconds{job="intake",instance="a"}': '40+60x20',
          'diq_http_request_duration_seconds_count{method="POST",status="503"}': '0+9x20',
        },
        atMinute: 18,
        firing: ['RedisUnavailable'],
      });
    });

    it('fire within ten minutes, once, where all are held for one reason', async () => {
      await evaluateManyQueues({
        queues,
        ofEach: { 'diq_hold_active{reason="failing"}': '1x20', diq_quota_limit: '5x20' },
        others: { 'up{job="worker",instance="a"}': '1x20', 'up{job="intake",instance="b"}': '1x20' },
        atMinute: 18,
        firing: ['ManyQueuesStopped'],
      });
    });

    it('leave the table of the dashboard at 50 rows', async () => {
      await evaluateManyQueues({
        queues,
        ofEach: {
          diq_queue_oldest_wait_seconds: '60x3',
          'diq_requests_open{status="queued"}': '1x3',
          'diq_hold_active{reason="failing"}': '0x3',
          diq_quota_limit: '5x3',
          diq_quota_used: '2x3',
          diq_quota_next_slot_seconds: '0x3',
        },
        others: { 'diq_state_age_seconds{job="intake",instance="a"}': '1x3' },
        atMinute: 0,
        firing: [],
        mostRows: 50,
      });
    });
  });

  it('are each shown to fire and to be silent', async () => {
    const texts = await Promise.all(testFiles.map((name) => readFile(join(cwd, name), 'utf8')));
    for (const { alert } of await readRules('alerts.yml')) {
      const ofAlert = texts
        .flatMap((text) => text.split('\n  - name: '))
        .filter((text) => text.includes(`alertname: ${alert}\n`));
      const silent = ofAlert.filter((text) => text.includes('exp_alerts: []'));
      assert.ok(silent.length > 0 && ofAlert.length > silent.length, alert);
    }
  });

  it('have a severity, and a runbook whose heading is their name', async () => {
    const runbook = await readFile(new URL('../../docs/runbook.md', import.meta.url), 'utf8');
    const headings = new Set(runbook.split('\n').filter((line) => line.startsWith('### ')));
    for (const { alert, labels, annotations } of await readRules('alerts.yml')) {
      assert.ok(['critical', 'warning'].includes(labels['severity'] ?? ''), alert);
      assert.ok(headings.has(`### ${alert}`), `no heading for ${alert}`);
      const anchor = `docs/runbook.md#${alert?.toLowerCase()}`;
      assert.equal(annotations['runbook_url'], `{{ $externalLabels.runbooks }}${anchor}`);
    }
  });

  it('look at series: a parser finds some in each', async () => {
    assert.ok((await metricsInAlerts()).includes('diq_defender_throttled_total{cause="own"}'));
  });

  it('can be watched a sixtieth of the time', () => {
    const rule = '        expr: increase(x[15m]) > 0 and y[1h] == 60\n        for: 75m\n';
    assert.equal(shortened(rule), '        expr: increase(x[15s]) > 0 and y[1m] == 60\n        for: 75s\n');
  });
});
