import { readFile } from 'node:fs/promises';
import { format } from 'prettier';
import { parse, stringify } from 'yaml';
import { grafanaAlertRules } from './alert-rules.ts';
import { createDashboard } from './dashboard.ts';

/** A file that is made from the sources here; a test holds the repository's copy against it. */
export interface GeneratedFile {
  readonly url: URL;
  readonly text: string;
}

const inGrafana = (path: string) => new URL(`../${path}`, import.meta.url);
const printWidth = 110;

export async function generatedFiles(): Promise<GeneratedFile[]> {
  const alerts: unknown = parse(
    await readFile(new URL('../../prometheus/alerts.yml', import.meta.url), 'utf8'),
  );
  const rules = `# Made from ../../../prometheus/alerts.yml by npm run dashboards.\n${stringify(grafanaAlertRules(alerts), { lineWidth: 0 })}`;
  return [
    {
      url: inGrafana('dashboards/investigation-queue.json'),
      text: await format(JSON.stringify(createDashboard()), { parser: 'json', printWidth }),
    },
    {
      url: inGrafana('provisioning/alerting/rules.yml'),
      text: await format(rules, { parser: 'yaml', printWidth, singleQuote: true }),
    },
  ];
}
