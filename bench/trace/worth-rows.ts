import type { Row } from '../support/row.ts';
import type { EstimateFigures, SystemFigures, WaitFigure } from './figures.ts';
import type { System } from './replay-world.ts';
import type { Zeros } from './zeros.ts';

/** One trace, judged. */
export interface JudgedTrace {
  name: string;
  figures: Readonly<Record<System, SystemFigures>>;
  estimates: { all: EstimateFigures; byLead: readonly EstimateFigures[] };
  zeros: Zeros;
  /** Requests that ended without a call of their own: they shared another's, no such machine, or what they asked for ran. */
  saved: { joined: number; unknown: number; running: number };
}

/** The marks, each with what it is held against. */
export function worthRows({ name, figures, estimates, zeros }: JudgedTrace): Row[] {
  const { queue } = figures;
  const needless = queue.slots.unknown_machine + queue.slots.already_running;
  return [
    ...withinRows(name, figures),
    ...lowRows(name, figures),
    zeroRow(`${name}: slots on machines that need none`, needless, 'slots'),
    {
      what: `${name}: error of expectedStartAt, 95th percentile`,
      measured: { what: 'of the wait', unit: '%', rounds: [100 * estimates.all.p95] },
      mark: '≤ 25 %',
      isReached: estimates.all.p95 <= 0.25,
      note: `median ${(100 * estimates.all.median).toFixed(0)} %, ${estimates.all.count} estimates`,
    },
    zeroRow(`${name}: calls over the limit or answered 429`, zeros.violations, 'calls'),
    zeroRow(`${name}: machines called twice within an hour`, zeros.doubles, 'calls'),
    zeroRow(`${name}: requests lost`, zeros.losses, 'requests'),
  ];
}

function withinRows(name: string, { queue, fifo, fixed }: JudgedTrace['figures']): Row[] {
  const [ours, first, urgent] = [queue.truePositives, fifo.truePositives, fixed.truePositives];
  if (!ours || !first || !urgent) return [];
  const percent = (what: string, share: number) => ({ what, unit: '%', rounds: [100 * share] });
  return ([1, 4] as const).map((hours): Row => {
    const [mine, ofFifo, ofFixed] = [ours.within[hours], first.within[hours], urgent.within[hours]];
    return {
      what: `${name}: true positives begun within ${hours} h`,
      measured: percent('queue', mine),
      baseline: percent('fixed priority', ofFixed),
      ratio: mine / ofFixed,
      mark: hours === 1 ? '≥ fixed, ≥ 2 × FIFO' : '≥ fixed',
      isReached: mine >= ofFixed && (hours !== 1 || mine >= 2 * ofFifo),
      note: `FIFO ${(100 * ofFifo).toFixed(0)} %, of ${ours.count}`,
    };
  });
}

function lowRows(name: string, { queue, fifo, fixed }: JudgedTrace['figures']): Row[] {
  const low = (system: SystemFigures) => system.byPriority.low.p95;
  if (queue.byPriority.low.requests === 0) return [];
  return [
    {
      what: `${name}: wait of low, 95th percentile`,
      measured: hoursOf('queue', low(queue)),
      baseline: hoursOf('fixed priority', low(fixed)),
      ratio: low(queue).hours / low(fixed).hours,
      mark: '≤ a third of fixed',
      isReached: low(queue).hours <= low(fixed).hours / 3,
      note: `FIFO ${waitText(low(fifo))}`,
    },
  ];
}

function zeroRow(what: string, value: number, unit: string): Row {
  return { what, measured: { what: unit, unit: '', rounds: [value] }, mark: '0', isReached: value === 0 };
}

function hoursOf(what: string, { hours }: WaitFigure) {
  return { what, unit: 'h', rounds: [hours] };
}

/** In hours; `>` where it had not ended. */
export function waitText({ hours, isOpen }: WaitFigure): string {
  if (Number.isNaN(hours)) return '–';
  return `${isOpen ? '> ' : ''}${hours < 10 ? hours.toFixed(1) : hours.toFixed(0)} h`;
}
