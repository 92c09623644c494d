import { readdirSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';

export const root = new URL('../../../', import.meta.url);

export function readText(file: string): string {
  return readFileSync(new URL(file, root), 'utf8');
}

/** One document of YAML, with anchors and `<<` resolved. */
export function readYaml(file: string): unknown {
  return parse(readText(file), { merge: true });
}

/** The keys of a service's schemas, and of those it shares: the names of its variables. */
export function settingNames(service: 'intake-api' | 'worker'): ReadonlySet<string> {
  const folder = `services/${service}/src/`;
  const files = [
    'shared/quota/src/quota-settings.ts',
    'shared/redis/src/redis-settings.ts',
    'shared/runtime/src/http-client/proxy-settings.ts',
    ...readdirSync(new URL(folder, root), { recursive: true, encoding: 'utf8' })
      .filter((file) => /(^|\/)config\.ts$|-settings\.ts$/.test(file))
      .map((file) => folder + file),
  ];
  const source = files.map(readText).join('\n');
  return new Set([...source.matchAll(/^ +([A-Z][A-Z0-9_]+): /gm)].map(([, name = '']) => name));
}
