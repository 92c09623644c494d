import { readFile } from 'node:fs/promises';

const name = 'DefenderInvestigationQueue';
const placeOfCode = "  script: '-'\n";

/** XSOAR has these at hand by itself, and takes no import of them in a file that is uploaded. */
const importsOfHost = /^(?:import demistomock as demisto|from CommonServerPython import \*)\n/gm;

/** Description and code of the integration in one file, as XSOAR takes it for an upload. */
export async function unifiedXsoar(folder: URL): Promise<string> {
  const description = await readFile(new URL(`${name}.yml`, folder), 'utf8');
  const code = await readFile(new URL(`${name}.py`, folder), 'utf8');
  if (!description.includes(placeOfCode)) throw new Error(`${name}.yml has no line ${placeOfCode.trim()}`);
  const lines = code.replaceAll(importsOfHost, '').replaceAll(/^(?=.)/gm, '    ');
  return `# Made of ${name}.yml and ${name}.py by npm run integrations.\n${description.replace(placeOfCode, () => `  script: |\n${lines}`)}`;
}
