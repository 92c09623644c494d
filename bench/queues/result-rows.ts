import type { Row } from '../support/row.ts';
import { median, percentile } from '../support/statistics.ts';
import type { ActiveTime } from './phases.ts';
import type { Services } from './queues-world.ts';

/** What was seen of the services when requests had arrived in all of their queues and nothing was due. */
export interface AtRest {
  idle: { perSecond: number; most: string };
  /** To all nodes: of one worker, of the intake. */
  connections: { worker: number; intake: number };
  peaks: ReturnType<Services['peaks']>;
}

export interface QueuesResult extends ActiveTime {
  queues: number;
  active: number;
  limit: number;
  windowMs: number;
  windows: number;
  single: AtRest;
  atRest: AtRest;
  /** Of `/metrics`, in ms. */
  scrapes: { worker: number; intake: number };
  /** With the time in which queues had work. */
  peaks: AtRest['peaks'];
  all: { calls: number; violations: number };
}

const series = (what: string, unit: string, value: number) => ({ what, unit, rounds: [value] });

/** The lines of the table, each with its mark, but for those in which intakes are compared. */
export function rowsOf(result: QueuesResult): Row[] {
  return [...restRows(result), ...memoryRows(result), ...slotRows(result)];
}

function restRows({ queues, single, atRest, scrapes }: QueuesResult): Row[] {
  const connections = (who: 'worker' | 'intake', most: number | undefined): Row => ({
    what: `Connections to Redis of one ${who}, ${queues.toLocaleString('en')} queues`,
    measured: series('connections', '', atRest.connections[who]),
    baseline: series('one queue', '', single.connections[who]),
    mark: most === undefined ? '' : `≤ ${most}`,
    isReached: most === undefined || atRest.connections[who] <= most,
  });
  return [
    connections('worker', 12),
    connections('intake', undefined),
    {
      what: 'Commands while nothing is due, 2 workers and 1 intake',
      measured: series('commands', '/s', atRest.idle.perSecond),
      baseline: series('one queue', '/s', single.idle.perSecond),
      mark: '≤ 50 /s',
      isReached: atRest.idle.perSecond <= 50,
      note: atRest.idle.most,
    },
    ...(['worker', 'intake'] as const).map((who) => ({
      what: `/metrics of ${who === 'intake' ? 'an intake' : 'a worker'}, ${queues.toLocaleString('en')} queues`,
      measured: series('the slowest', 'ms', scrapes[who]),
      mark: '< 500 ms',
      isReached: scrapes[who] < 500,
    })),
  ];
}

function memoryRows({ single, peaks }: QueuesResult): Row[] {
  return (['worker', 'intake'] as const).map((who) => ({
    what: `Memory of a${who === 'intake' ? 'n' : ''} ${who}, the most of the run`,
    measured: series('more than with one queue', 'MB', peaks[who] - single.peaks[who]),
    baseline: series('one queue', 'MB', single.peaks[who]),
    mark: '+ ≤ 150 MB',
    isReached: peaks[who] - single.peaks[who] <= 150,
  }));
}

function slotRows({ judged, latenciesMs, all, active, limit, windowMs, windows }: QueuesResult): Row[] {
  const late = judged.flatMap((queue) => queue.late);
  const made = judged.reduce((sum, queue) => sum + queue.made, 0);
  const possible = judged.reduce((sum, queue) => sum + queue.possible, 0);
  const worst = percentile(late, 0.99);
  const under = `${active} queues with work`;
  return [
    {
      what: `Slot open → call on the wire, ${under}: median`,
      measured: series('median', 'ms', median(late)),
      mark: '',
      isReached: true,
      note: `${late.length.toLocaleString('en')} slots`,
    },
    {
      what: `Slot open → call on the wire, ${under}: 99th percentile`,
      measured: series('99th percentile', 'ms', worst),
      mark: '< 250 ms',
      isReached: worst < 250,
    },
    {
      what: `Calls made of calls possible, ${under}`,
      measured: series('made', '%', (100 * made) / possible),
      mark: '≥ 98 %',
      isReached: made / possible >= 0.98,
      note: `${limit} in ${windowMs / 1_000} s each, ${windows} windows`,
    },
    {
      what: 'Calls over a limit, answered 429 or made twice, all queues',
      measured: series('calls', '', all.violations),
      mark: '0',
      isReached: all.violations === 0,
      note: `of ${all.calls.toLocaleString('en')} calls`,
    },
    {
      what: `POST in the other queues, ${under}`,
      measured: series('99th percentile', 'ms', percentile(latenciesMs, 0.99)),
      mark: '',
      isReached: true,
      note: `${latenciesMs.length} requests`,
    },
  ];
}
