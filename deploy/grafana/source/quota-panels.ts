import { curve, figure, quantiles, stack } from './panels.ts';
import { chosen } from './queue-filter.ts';

/** Counts against the limit are recorded values of one reading: no rate is extrapolated to 5.2 of 5. */
export function quotaPanels() {
  return {
    inUse: figure(
      {
        title: 'Slots in use, and limit',
        description: 'Permits spent within one window. All of them is usual while requests wait.',
        unit: 'short',
        lines: [
          { expr: `sum(${chosen('diq:quota_used:count')})`, legend: 'in use' },
          { expr: `sum(${chosen('diq:quota_limit:count')})`, legend: 'limit' },
        ],
      },
      'neutral',
    ),
    nextSlot: figure(
      {
        title: 'Next slot in',
        description: 'The earliest of the queues that are chosen, holds aside.',
        unit: 's',
        lines: [{ expr: `min(${chosen('diq:quota_next_slot:seconds')})`, legend: 'next slot' }],
      },
      'neutral',
    ),
    usedAndLimit: curve({
      title: 'Permits in use and limit',
      description: 'A limit below the configured one: other applications use the same quota.',
      unit: 'short',
      lines: [
        { expr: `sum(${chosen('diq:quota_used:count')})`, legend: 'in use' },
        { expr: `sum(${chosen('diq:quota_limit:count')})`, legend: 'limit' },
      ],
    }),
    byOutcome: stack({
      title: 'Calls that count against the limit, by outcome',
      description: 'Those of one window. Anything but "started" holds a slot and gave no investigation.',
      unit: 'short',
      lines: [{ expr: `sum by (outcome) (${chosen('diq:quota_slots:count')})`, legend: '{{outcome}}' }],
    }),
  };
}

/** Whether slots that are free are used. */
export function wastePanels() {
  return [
    curve({
      title: 'Share of time with a free slot and nothing called',
      description:
        'Should be 0. Of the queues that are chosen, the greatest. SlotsWasted fires above a half.',
      unit: 'percentunit',
      lines: [{ expr: `clamp_max(max(${chosen('diq:slot_idle:ratio5m')}), 1)`, legend: 'wasted' }],
    }),
    curve({
      title: 'Dispatch lag',
      description: 'From a slot that is open, with work ready, to the call.',
      unit: 's',
      lines: quantiles([0.5, 0.99], chosen('diq_dispatch_lag_seconds_bucket'), {
        over: '6h',
        legend: 'at most',
      }),
    }),
    figure(
      {
        title: 'Interlock refusals',
        description: 'Never expected. The ledger refused what the limiter had permitted.',
        unit: 'short',
        lines: [{ expr: `sum(${chosen('diq_quota_interlock_refusals_total')})`, legend: 'refusals' }],
      },
      [1, 1],
    ),
  ];
}
