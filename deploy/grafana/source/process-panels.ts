import { curve, rise, stack } from './panels.ts';

/** Whether the processes are there and well. */
export function processPanels() {
  return {
    answering: curve({
      title: 'Processes that answer',
      description: 'No worker: nothing starts. No intake: nothing can be handed in.',
      unit: 'short',
      lines: [{ expr: 'sum by (job) (up{job=~"intake|worker"})', legend: '{{job}}' }],
    }),
    ageOfReading: curve({
      title: 'Age of the reading of Redis',
      description: 'Rising: Redis does not answer.',
      unit: 's',
      lines: [{ expr: 'diq_state_age_seconds', legend: '{{instance}}' }],
    }),
    http: curve({
      title: 'HTTP requests slower than',
      description: '99th percentile by route.',
      unit: 's',
      lines: [
        {
          expr: 'histogram_quantile(0.99, sum by (le, route) (rate(diq_http_request_duration_seconds_bucket[5m])))',
          legend: '{{route}}',
        },
      ],
    }),
    memory: curve({
      title: 'Resident memory',
      description: 'By process.',
      unit: 'bytes',
      lines: [
        { expr: 'process_resident_memory_bytes{job=~"intake|worker"}', legend: '{{job}} {{instance}}' },
      ],
    }),
    eventLoop: curve({
      title: 'Event loop lag, 99th percentile',
      description: 'Above 100 ms for long: the process is overloaded.',
      unit: 's',
      lines: [
        { expr: 'nodejs_eventloop_lag_p99_seconds{job=~"intake|worker"}', legend: '{{job}} {{instance}}' },
      ],
    }),
  };
}

/** Deliveries of callbacks. */
export function callbackPanels() {
  return [
    stack({
      title: 'Attempts to call back within an hour',
      description: 'failed: given up after 24 h. refused: settings or DNS forbid the call.',
      unit: 'short',
      lines: [{ expr: rise('diq_callbacks_total', { over: '1h', by: 'outcome' }), legend: '{{outcome}}' }],
    }),
    curve({
      title: 'Callbacks to deliver',
      description: 'Due, or waiting for another attempt.',
      unit: 'short',
      lines: [{ expr: 'max(diq_callbacks_pending)', legend: 'to deliver' }],
    }),
  ];
}
