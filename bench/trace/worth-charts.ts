import * as echarts from 'echarts';
import { waitsOf } from './judge-waits.ts';
import type { ReplayResult, Replayed } from './replay.ts';
import { systems, type System } from './replay-world.ts';
import type { JudgedTrace } from './worth-rows.ts';

/** As readers get them. */
export const systemNames: Readonly<Record<System, string>> = {
  queue: 'this queue',
  fixed: 'BullMQ, fixed priority',
  fifo: 'BullMQ, first come first served',
  soar: 'SOAR that retries by itself',
};

/** Distinct without colours too: by their order in the legend, and by symbol. */
const colours: Readonly<Record<System, string>> = {
  queue: '#0b6e4f',
  fixed: '#c8553d',
  fifo: '#5b7db1',
  soar: '#9a9a9a',
};
const order: readonly System[] = ['queue', 'fixed', 'fifo', 'soar'];
const size = { width: 820, height: 400 };
const font = 'system-ui, sans-serif';
/** Without a browser the width of a text is a guess, and a low one. */
const legend = { bottom: 0, itemGap: 36 };

/** By file name: SVG. */
export function worthCharts(result: ReplayResult, judged: readonly JudgedTrace[]): Map<string, string> {
  const charts = new Map([
    ['worth-true-positives.svg', truePositives(judged)],
    ['worth-low.svg', waitOfLow(judged)],
    ['worth-slots.svg', slots(judged)],
  ]);
  for (const one of result.replayed)
    charts.set(`worth-waits-${one.trace.name.replaceAll(/[^\w.]+/g, '-')}.svg`, waits(one));
  return charts;
}

function truePositives(judged: readonly JudgedTrace[]): string {
  return bars({
    title: 'Machines of real attacks whose investigation began within one hour',
    unit: '%',
    names: judged.map(({ name }) => name),
    value: (i, system) => Math.round(100 * (judged[i]?.figures[system].truePositives?.within[1] ?? 0)),
  });
}

function waitOfLow(judged: readonly JudgedTrace[]): string {
  return bars({
    title: 'Least urgent requests: 95 of 100 have waited no longer than so many hours',
    unit: 'h',
    names: judged.map(({ name }) => name),
    value: (i, system) => Math.round(judged[i]?.figures[system].byPriority.low.p95.hours ?? 0),
  });
}

/** What Defender allowed and no investigation came of, or only one that ran already. */
function slots(judged: readonly JudgedTrace[]): string {
  return bars({
    title: 'Calls that brought no investigation: machine unknown, or one ran already',
    unit: 'calls',
    names: judged.map(({ name }) => name),
    value: (i, system) => {
      const { unknown_machine, already_running } = judged[i]?.figures[system].slots ?? {};
      return (unknown_machine ?? 0) + (already_running ?? 0);
    },
  });
}

interface Bars {
  title: string;
  unit: string;
  names: readonly string[];
  value(i: number, system: System): number;
}

function bars({ title, unit, names, value }: Bars): string {
  return draw({
    title: { text: title, left: 'center', textStyle: { fontSize: 15, fontFamily: font } },
    legend,
    grid: { left: 60, right: 20, top: 50, bottom: 60 },
    xAxis: { type: 'category', data: [...names] },
    yAxis: { type: 'value', name: unit },
    series: order.map((system) => ({
      type: 'bar',
      name: systemNames[system],
      color: colours[system],
      label: { show: true, position: 'top' },
      data: names.map((_, i) => value(i, system)),
    })),
  });
}

/** Waits up to these are drawn, in hours. */
const [shortest, longest, points] = [0.1, 240, 120];

/** How the share of true positives that have begun grows with the time since they arrived. */
function waits({ trace, calls }: Replayed): string {
  const steps = Array.from(
    { length: points + 1 },
    (_, i) => shortest * (longest / shortest) ** (i / points),
  ).filter((hours) => hours <= trace.hours);
  return draw({
    title: {
      text: `${trace.name}: machines of real attacks, by the time until their investigation began`,
      left: 'center',
      textStyle: { fontSize: 15, fontFamily: font },
    },
    legend,
    grid: { left: 60, right: 40, top: 50, bottom: 80 },
    xAxis: { type: 'log', name: 'hours', nameLocation: 'middle', nameGap: 28, min: shortest },
    yAxis: { type: 'value', name: '%', max: 100 },
    series: systems.map((system) => {
      const found = waitsOf(
        trace,
        calls[system].filter(({ atSeconds }) => atSeconds <= trace.hours * 3_600),
      ).filter(({ request }) => request.truth === 'true_positive');
      return {
        type: 'line',
        name: systemNames[system],
        color: colours[system],
        showSymbol: false,
        lineStyle: { width: system === 'queue' ? 3 : 2 },
        data: steps.map((hours) => [
          hours,
          (100 * found.filter((one) => !one.isOpen && one.hours <= hours).length) / found.length,
        ]),
      };
    }),
  });
}

function draw(option: echarts.EChartsCoreOption): string {
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, ...size });
  chart.setOption({
    animation: false,
    backgroundColor: '#ffffff',
    textStyle: { fontFamily: font },
    ...option,
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return `${svg}\n`;
}
