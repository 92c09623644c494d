import { RowBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import type { DashboardBuilder } from '@grafana/grafana-foundation-sdk/dashboard';

type Panel = Parameters<DashboardBuilder['withPanel']>[0] & {
  height(rows: number): unknown;
  span(columns: number): unknown;
};

const columns = 24;

/** Panels side by side, all of one height. */
export interface Band {
  readonly height: number;
  readonly panels: readonly Panel[];
}

export const figures = (...panels: Panel[]): Band => ({ height: 4, panels });

export const pictures = (...panels: Panel[]): Band => ({ height: 8, panels });

export const list = (...panels: Panel[]): Band => ({ height: 12, panels });

/** Adds a row whose bands each fill the width of the dashboard. */
export function addRow(dashboard: DashboardBuilder, title: string, ...bands: readonly Band[]): void {
  dashboard.withRow(new RowBuilder(title));
  for (const { height, panels } of bands) {
    const width = columns / panels.length;
    if (!Number.isInteger(width)) throw new Error(`"${title}": ${panels.length} panels do not fill a band`);
    for (const panel of panels) {
      panel.height(height);
      panel.span(width);
      dashboard.withPanel(panel);
    }
  }
}
