import { curve, onAndOff, quantiles, rise, stack } from './panels.ts';
import { chosen } from './queue-filter.ts';

/** What is called, and what comes of it. */
export function callPanels() {
  return {
    outcomes: stack({
      title: 'Calls answered within 24 hours, by outcome',
      description:
        'Anything but "started" did not start an investigation by itself. What counts against the limit stands above.',
      unit: 'short',
      lines: [
        {
          expr: rise(chosen('diq_defender_calls_total'), { over: '24h', by: 'outcome' }),
          legend: '{{outcome}}',
        },
      ],
    }),
    duration: curve({
      title: 'Duration of a call',
      description: 'Near the call timeout: answers get lost.',
      unit: 's',
      lines: quantiles([0.5, 0.99], chosen('diq_defender_call_duration_seconds_bucket'), {
        over: '1h',
        legend: 'took at most',
      }),
    }),
    lostAnswers: stack({
      title: 'Lost answers, by what Defender showed of them',
      description: 'Unknown: look at the machine before a retry.',
      unit: 'short',
      lines: [
        {
          expr: rise(chosen('diq_reconciliations_total'), { over: '1h', by: 'outcome' }),
          legend: '{{outcome}}',
        },
      ],
    }),
    tokens: stack({
      title: 'Requests for an access token',
      description: '"rejected" needs an administrator.',
      unit: 'short',
      lines: [
        {
          expr: rise(chosen('diq_token_requests_total'), { over: '1h', by: 'outcome' }),
          legend: '{{outcome}}',
        },
      ],
    }),
  };
}

/** What keeps calls from being made. */
export function holdPanels() {
  return [
    stack({
      title: 'Calls answered 429 within an hour',
      description:
        'own: our quota is set too high. external: another program uses the same quota. unclear: one of both.',
      unit: 'short',
      lines: [
        {
          expr: rise(chosen('diq_defender_throttled_total'), { over: '1h', by: 'cause' }),
          legend: '{{cause}}',
        },
      ],
    }),
    onAndOff({
      title: 'Holds',
      description: 'No call is made while a hold is active: here in any of the queues that are chosen.',
      unit: 'bool_on_off',
      lines: [{ expr: `max by (reason) (${chosen('diq:hold_active:bool')})`, legend: '{{reason}}' }],
    }),
  ];
}
