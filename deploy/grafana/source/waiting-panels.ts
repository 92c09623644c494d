import { curve, figure, quantiles, rise, stack } from './panels.ts';
import { chosen } from './queue-filter.ts';

const hour = 3_600;

/** How much waits, at a glance. */
export function waitingFigures() {
  return [
    figure(
      {
        title: 'Requests waiting',
        description: 'Accepted and not started yet.',
        unit: 'short',
        lines: [{ expr: `sum(${chosen('diq:requests_open:count', 'status="queued"')})`, legend: 'waiting' }],
      },
      'neutral',
    ),
    figure(
      {
        title: 'Oldest wait',
        description:
          'Of the queues that are chosen, the longest. OldestWaitTooLong fires above the objective, which stands in rules.yml.',
        unit: 's',
        lines: [{ expr: `max(${chosen('diq:oldest_wait:seconds')})`, legend: 'oldest wait' }],
      },
      [8 * hour, 24 * hour],
    ),
    figure(
      {
        title: 'Time to drain',
        description: 'Until the tasks that wait now will have started, in the queue that needs longest.',
        unit: 's',
        lines: [{ expr: `max(${chosen('diq:drain:seconds')})`, legend: 'time to drain' }],
      },
      [48 * hour, 96 * hour],
    ),
    figure(
      {
        title: 'Failed, unknown, expired in 24 h',
        description: 'Ended without an investigation. GET /v1/investigations?status=unknown names them.',
        unit: 'short',
        lines: [
          {
            expr: rise(chosen('diq:requests_ended:count', 'status=~"failed|unknown|expired"'), {
              over: '24h',
            }),
            legend: 'ended badly',
          },
        ],
      },
      [1, 10],
    ),
  ];
}

/** What waits and for how long, over time. */
export function waitingPanels() {
  return {
    byStatus: curve({
      title: 'Open requests',
      description: 'Those that wait, those that are being called, and those whose lost answer is looked up.',
      unit: 'short',
      lines: [{ expr: `sum by (status) (${chosen('diq:requests_open:count')})`, legend: '{{status}}' }],
    }),
    byPriority: stack({
      title: 'Calls waiting, by priority',
      description:
        'Several requests for one machine share one call. Critical ones that pile up wait for slots.',
      unit: 'short',
      lines: [{ expr: `sum by (priority) (${chosen('diq:tasks_waiting:count')})`, legend: '{{priority}}' }],
    }),
    oldestAndDrain: curve({
      title: 'Oldest wait and time to drain',
      description: 'Against their objectives.',
      unit: 's',
      lines: [
        { expr: `max(${chosen('diq:oldest_wait:seconds')})`, legend: 'oldest wait' },
        { expr: 'diq:objective_oldest_wait:seconds', legend: 'objective of the oldest wait' },
        { expr: `max(${chosen('diq:drain:seconds')})`, legend: 'time to drain' },
        { expr: 'diq:objective_drain:seconds', legend: 'objective of the time to drain' },
      ],
    }),
    untilCall: curve({
      title: 'Wait from acceptance to call',
      description: 'Of what was called within the last 6 hours.',
      unit: 's',
      lines: quantiles([0.5, 0.9], chosen('diq_queue_wait_seconds_bucket'), {
        over: '6h',
        legend: 'waited at most',
      }),
    }),
  };
}

/** What comes in, and what ended. */
export function doorPanels() {
  return {
    outcomes: stack({
      title: 'Requests at the door within 5 minutes',
      description: 'By outcome. The answer to a rejected item says why.',
      unit: 'short',
      lines: [
        { expr: rise(chosen('diq_requests_total'), { over: '5m', by: 'outcome' }), legend: '{{outcome}}' },
      ],
    }),
    ended: stack({
      title: 'Requests ended within 5 minutes',
      description:
        'By status. More than the quota gives where several share a call, are cancelled or expire.',
      unit: 'short',
      lines: [
        {
          expr: rise(chosen('diq:requests_ended:count'), { over: '5m', by: 'status' }),
          legend: '{{status}}',
        },
      ],
    }),
    refused: curve({
      title: 'Submissions refused within 5 minutes',
      description: 'With 503 or 500, by no fault of their callers. IntakeRefusing fires when it goes on.',
      unit: 'short',
      lines: [
        {
          expr: rise('diq_http_request_duration_seconds_count{method="POST",status=~"5.."}', { over: '5m' }),
          legend: 'refused',
        },
      ],
    }),
  };
}

/** What came of what was called for, and what needed no call. */
export function resultPanels() {
  return {
    open: curve({
      title: 'Results without an end',
      description:
        'Followed, and not seen to have ended. Rising for hours: Defender does not come to an end, or cannot be read.',
      unit: 'short',
      lines: [{ expr: `sum(max by (tenant, operation) (${chosen('diq_results_open')}))`, legend: 'open' }],
    }),
    ended: stack({
      title: 'Results ended within the hour',
      description: 'By outcome, as Defender showed it; unknown where it did not show an end in time.',
      unit: 'short',
      lines: [
        {
          expr: rise(chosen('diq_results_ended_total'), { over: '1h', by: 'outcome' }),
          legend: '{{outcome}}',
        },
      ],
    }),
    saved: stack({
      title: 'Slots saved within the hour',
      description:
        'Tasks that ended without a call, by reason. machine_unknown: callers name machines that Defender does not know.',
      unit: 'short',
      lines: [
        { expr: rise(chosen('diq_slots_saved_total'), { over: '1h', by: 'reason' }), legend: '{{reason}}' },
      ],
    }),
  };
}
