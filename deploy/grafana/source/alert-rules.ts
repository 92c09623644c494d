import { z } from 'zod';
import { dataSource } from './panels.ts';

const prometheusRules = z.object({
  groups: z.array(
    z.object({
      name: z.string(),
      rules: z.array(
        z.object({
          alert: z.string(),
          expr: z.string(),
          for: z.string().default('0s'),
          labels: z.record(z.string(), z.string()),
          annotations: z.record(z.string(), z.string()),
        }),
      ),
    }),
  ),
});

/**
 * Prometheus' alerts as Grafana's, for those who alert from there. One source for both, so that they cannot disagree.
 * A query gives series only while something is wrong; each of them fires, and none is the good state.
 */
export function grafanaAlertRules(rules: unknown) {
  return {
    apiVersion: 1,
    groups: prometheusRules.parse(rules).groups.map(({ name, rules }) => ({
      orgId: 1,
      name,
      folder: 'Investigation queue',
      interval: '1m',
      rules: rules.map((rule) => ({
        uid: `diq-${rule.alert.toLowerCase()}`,
        title: rule.alert,
        condition: 'wrong',
        for: rule.for,
        noDataState: 'OK',
        execErrState: 'Error',
        labels: rule.labels,
        annotations: forGrafana(rule.annotations),
        data: [
          {
            refId: 'series',
            datasourceUid: dataSource.uid,
            relativeTimeRange: { from: 300, to: 0 },
            model: { refId: 'series', expr: rule.expr, instant: true },
          },
          {
            refId: 'wrong',
            datasourceUid: '__expr__',
            // Each series there is: no query gives a value below zero.
            model: {
              refId: 'wrong',
              type: 'threshold',
              expression: 'series',
              conditions: [{ evaluator: { type: 'gt', params: [-1] } }],
            },
          },
        ],
      })),
    })),
  };
}

/**
 * Grafana has no external labels, and takes a dollar sign in these files for an environment variable's name: in braces,
 * as later versions want it in annotations.
 */
function forGrafana(annotations: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(annotations).map(([name, text]) => [
      name,
      text
        .replaceAll('{{ $externalLabels.runbooks }}', '${RUNBOOKS_URL}')
        .replaceAll('{{ $labels.', '{{ .Labels.')
        .replaceAll('{{ $value ', '{{ .Values.series.Value '),
    ]),
  );
}
