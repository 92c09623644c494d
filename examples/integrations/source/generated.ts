import { format } from 'prettier';
import { logicAppsConnector } from './logic-apps-connector.ts';
import { unifiedXsoar } from './unified-xsoar.ts';

/** A file that is made from sources; a test holds the repository's copy against it. */
export interface GeneratedFile {
  readonly url: URL;
  readonly text: string;
}

const inIntegrations = (path: string) => new URL(`../${path}`, import.meta.url);

export async function generatedFiles(): Promise<GeneratedFile[]> {
  return [
    {
      url: inIntegrations('xsoar/integration-DefenderInvestigationQueue.yml'),
      text: await unifiedXsoar(inIntegrations('xsoar/')),
    },
    {
      url: inIntegrations('logic-apps/apiDefinition.swagger.json'),
      text: await format(JSON.stringify(logicAppsConnector()), { parser: 'json', printWidth: 110 }),
    },
  ];
}
