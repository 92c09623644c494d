import { DashboardBuilder, RowBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import { curve, DashboardCursorSync, figure, onAndOff, quantiles, stack } from './panels.ts';
import { processPanels } from './process-panels.ts';

const hour = 3_600;

/** The dashboard, in the order in which a request travels. Written to ../dashboards by generate.ts. */
export function createDashboard() {
  const dashboard = new DashboardBuilder('Investigation queue')
    .uid('diq-queue')
    .description('What waits, what is called, what went wrong')
    .tags(['defender', 'diq'])
    .timezone('utc')
    .refresh('30s')
    .time({ from: 'now-24h', to: 'now' })
    .tooltip(DashboardCursorSync.Crosshair)
    .readonly()

    .withRow(new RowBuilder('What waits, and for how long'))
    .withPanel(
      figure(
        {
          title: 'Requests waiting',
          description: 'Accepted and not started yet.',
          unit: 'short',
          lines: [{ expr: 'diq:requests:count{status="queued"}', legend: 'waiting' }],
        },
        'neutral',
      ),
    )
    .withPanel(
      figure(
        {
          title: 'Oldest wait',
          description: 'OldestWaitTooLong fires above the objective, which stands in rules.yml.',
          unit: 's',
          lines: [{ expr: 'diq:oldest_wait:seconds', legend: 'oldest wait' }],
        },
        [8 * hour, 24 * hour],
      ),
    )
    .withPanel(
      figure(
        {
          title: 'Time to drain',
          description: 'Until what waits now will have started.',
          unit: 's',
          lines: [{ expr: 'diq:drain:seconds', legend: 'time to drain' }],
        },
        [48 * hour, 96 * hour],
      ),
    )
    .withPanel(
      figure(
        {
          title: 'Failed, unknown, expired in 24 h',
          description: 'Ended without an investigation. GET /v1/investigations?status=unknown names them.',
          unit: 'short',
          lines: [
            {
              expr: 'sum(delta(diq:requests_read:count{status=~"failed|unknown|expired"}[24h]))',
              legend: 'ended badly',
            },
          ],
        },
        [1, 10],
      ),
    )
    .withPanel(
      curve({
        title: 'Requests by status',
        description: 'Those that wait and those that are being called.',
        unit: 'short',
        lines: [{ expr: 'diq:requests:count{status=~"queued|dispatching"}', legend: '{{status}}' }],
      }),
    )
    .withPanel(
      curve({
        title: 'Oldest wait and time to drain',
        description: 'Against their objectives.',
        unit: 's',
        lines: [
          { expr: 'diq:oldest_wait:seconds', legend: 'oldest wait' },
          { expr: 'diq:objective_oldest_wait:seconds', legend: 'objective of the oldest wait' },
          { expr: 'diq:drain:seconds', legend: 'time to drain' },
          { expr: 'diq:objective_drain:seconds', legend: 'objective of the time to drain' },
        ],
      }),
    )
    .withPanel(
      stack({
        title: 'Requests at the door',
        description: 'By what became of them. Rejected ones were told why.',
        unit: 'short',
        lines: [{ expr: 'sum by (outcome) (increase(diq_requests_total[5m]))', legend: '{{outcome}}' }],
      }),
    )
    .withPanel(
      curve({
        title: 'Submissions refused within 5 minutes',
        description: 'With 503 or 500, by no fault of their callers. IntakeRefusing fires when it goes on.',
        unit: 'short',
        lines: [
          {
            expr: 'sum(increase(diq_http_request_duration_seconds_count{method="POST",status=~"5.."}[5m]))',
            legend: 'refused',
          },
        ],
      }),
    )
    .withPanel(
      curve({
        title: 'Wait from acceptance to call',
        description: 'Of what was called within the last 6 hours.',
        unit: 's',
        lines: quantiles([0.5, 0.9], 'diq_queue_wait_seconds', { over: '6h', legend: 'waited at most' }),
      }),
    )

    .withRow(new RowBuilder('Quota'))
    .withPanel(
      figure(
        {
          title: 'Quota in use',
          description: 'Permits spent within one window. All of them is usual while requests wait.',
          unit: 'percentunit',
          lines: [{ expr: 'diq:quota_used:ratio', legend: 'in use' }],
        },
        'neutral',
      ),
    )
    .withPanel(
      figure(
        {
          title: 'Next slot in',
          description: 'A hold aside.',
          unit: 's',
          lines: [{ expr: 'max(diq_quota_next_slot_seconds)', legend: 'next slot' }],
        },
        'neutral',
      ),
    )
    .withPanel(
      curve({
        title: 'Permits in use and limit',
        description: 'A limit below the configured one: other applications use the same quota.',
        unit: 'short',
        lines: [
          { expr: 'max(diq_quota_used)', legend: 'in use' },
          { expr: 'min(diq_quota_limit)', legend: 'limit' },
        ],
      }),
    )

    .withRow(new RowBuilder('Calls to Defender'))
    .withPanel(
      stack({
        title: 'Calls within an hour, by outcome',
        description:
          'Never more than the limit. Anything but "started" did not start an investigation by itself.',
        unit: 'short',
        lines: [{ expr: 'diq:defender_calls:increase1h', legend: '{{outcome}}' }],
      }),
    )
    .withPanel(
      curve({
        title: 'Duration of a call',
        description: 'Near the call timeout: answers get lost.',
        unit: 's',
        lines: quantiles([0.5, 0.99], 'diq_defender_call_duration_seconds', {
          over: '1h',
          legend: 'took at most',
        }),
      }),
    )
    .withPanel(
      stack({
        title: 'Lost answers, by what Defender showed of them',
        description: 'Unknown: look at the machine before a retry.',
        unit: 'short',
        lines: [
          { expr: 'sum by (outcome) (increase(diq_reconciliations_total[1h]))', legend: '{{outcome}}' },
        ],
      }),
    )
    .withPanel(
      stack({
        title: 'Requests for an access token',
        description: '"rejected" needs an administrator.',
        unit: 'short',
        lines: [{ expr: 'sum by (outcome) (increase(diq_token_requests_total[1h]))', legend: '{{outcome}}' }],
      }),
    )

    .withRow(new RowBuilder('Throttling and holds'))
    .withPanel(
      stack({
        title: 'Calls answered 429 within an hour',
        description:
          'own: our quota is set too high. external: another program uses the same quota. unclear: one of both.',
        unit: 'short',
        lines: [{ expr: 'sum by (cause) (increase(diq_defender_throttled_total[1h]))', legend: '{{cause}}' }],
      }),
    )
    .withPanel(
      onAndOff({
        title: 'Holds',
        description: 'While one is on, nobody calls.',
        unit: 'bool_on_off',
        lines: [{ expr: 'diq:hold_active:bool', legend: '{{reason}}' }],
      }),
    )

    .withRow(new RowBuilder('Slots wasted'))
    .withPanel(
      curve({
        title: 'Share of time with a free slot and nothing called',
        description: 'Should be 0. SlotsWasted fires above a half.',
        unit: 'percentunit',
        lines: [{ expr: 'diq:slot_idle:ratio5m', legend: 'wasted' }],
      }),
    )
    .withPanel(
      curve({
        title: 'Dispatch lag',
        description: 'From a slot that is open, with work ready, to the call.',
        unit: 's',
        lines: quantiles([0.5, 0.99], 'diq_dispatch_lag_seconds', { over: '6h', legend: 'at most' }),
      }),
    )
    .withPanel(
      figure(
        {
          title: 'Interlock refusals',
          description: 'Never expected. The ledger refused what the limiter had permitted.',
          unit: 'short',
          lines: [{ expr: 'sum(diq_quota_interlock_refusals_total)', legend: 'refusals' }],
        },
        [1, 1],
      ),
    )

    .withRow(new RowBuilder('Callbacks'))
    .withPanel(
      stack({
        title: 'Attempts to call back within an hour',
        description: 'failed: given up after 24 h. refused: settings or DNS forbid the call.',
        unit: 'short',
        lines: [{ expr: 'sum by (outcome) (increase(diq_callbacks_total[1h]))', legend: '{{outcome}}' }],
      }),
    )
    .withPanel(
      curve({
        title: 'Callbacks to deliver',
        description: 'Due, or waiting for another attempt.',
        unit: 'short',
        lines: [{ expr: 'max(diq_callbacks_pending)', legend: 'to deliver' }],
      }),
    )
    .withRow(new RowBuilder('Processes'));
  for (const panel of processPanels()) dashboard.withPanel(panel);
  return dashboard.build();
}
