import { DashboardCursorSync, ThresholdsMode } from '@grafana/grafana-foundation-sdk/dashboard';
import type { Threshold } from '@grafana/grafana-foundation-sdk/dashboard';
import { ThresholdsConfigBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import {
  GraphDrawStyle,
  LegendDisplayMode,
  LegendPlacement,
  StackingMode,
  VisibilityMode,
} from '@grafana/grafana-foundation-sdk/common';
import { StackingConfigBuilder, VizLegendOptionsBuilder } from '@grafana/grafana-foundation-sdk/common';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatPanel } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as StateTimelinePanel } from '@grafana/grafana-foundation-sdk/statetimeline';
import { PanelBuilder as TimeseriesPanel } from '@grafana/grafana-foundation-sdk/timeseries';

export { DashboardCursorSync };

/** The provisioned data source. */
export const dataSource = { type: 'prometheus', uid: 'diq-prometheus' };

/** One line of a picture: what Prometheus is asked, and what the line is called. */
export interface Line {
  readonly expr: string;
  readonly legend: string;
}

export interface Picture {
  readonly title: string;
  /** What to make of it. */
  readonly description: string;
  readonly unit: string;
  readonly lines: readonly Line[];
}

/** One number; red from the last bound on, amber from the one before. */
export function figure(picture: Picture, bounds: readonly [amber: number, red: number] | 'neutral') {
  const steps: Threshold[] =
    bounds === 'neutral'
      ? [{ value: null, color: 'blue' }]
      : [
          { value: null, color: 'green' },
          { value: bounds[0], color: 'orange' },
          { value: bounds[1], color: 'red' },
        ];
  return described(new StatPanel(), picture).thresholds(
    new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps),
  );
}

export function curve(picture: Picture) {
  return described(new TimeseriesPanel(), picture)
    .min(0)
    .fillOpacity(10)
    .showPoints(VisibilityMode.Never)
    .legend(
      new VizLegendOptionsBuilder()
        .showLegend(true)
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom),
    );
}

/** How much one or several counters rose within this time, in whole events: Prometheus extrapolates, and 5 would be 5.2. */
export function rise(counter: string, { over, by }: { over: string; by?: string }): string {
  return `round(sum${by === undefined ? '' : ` by (${by}) `}(increase(${counter}[${over}])))`;
}

/** What adds up to a whole. */
export function stack(picture: Picture) {
  return curve(picture)
    .drawStyle(GraphDrawStyle.Bars)
    .fillOpacity(60)
    .stacking(new StackingConfigBuilder().mode(StackingMode.Normal));
}

/** What is on and what is off, over time. */
export function onAndOff(picture: Picture) {
  return described(new StateTimelinePanel(), picture);
}

/** For each share: below which value that much of what the buckets of a histogram counted within the time lies. */
export function quantiles(
  shares: readonly number[],
  buckets: string,
  { over, legend }: { over: string; legend: string },
): Line[] {
  return shares.map((share) => ({
    expr: `histogram_quantile(${share}, sum by (le) (rate(${buckets}[${over}])))`,
    legend: `${share * 100} % ${legend}`,
  }));
}

interface Describable<Self> {
  title(title: string): Self;
  description(text: string): Self;
  unit(unit: string): Self;
  datasource(source: typeof dataSource): Self;
  withTarget(query: DataqueryBuilder): Self;
}

function described<Panel extends Describable<Panel>>(panel: Panel, picture: Picture): Panel {
  panel.title(picture.title).description(picture.description).unit(picture.unit).datasource(dataSource);
  for (const [i, { expr, legend }] of picture.lines.entries()) {
    const refId = String.fromCodePoint('A'.charCodeAt(0) + i);
    panel.withTarget(
      new DataqueryBuilder().refId(refId).expr(expr).legendFormat(legend).datasource(dataSource),
    );
  }
  return panel;
}
