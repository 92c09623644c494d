import { readFileSync } from 'node:fs';
import { Gauge, type Registry } from 'prom-client';

const manifest = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** The version of the project, which all its services share. */
export const version = manifest.version;

/** Adds `diq_build_info`, which is always 1. */
export function registerBuildInfo(registry: Registry): void {
  const gauge = new Gauge({
    name: 'diq_build_info',
    help: 'Always 1; its labels say which version runs on which Node.js.',
    labelNames: ['version', 'node'] as const,
    registers: [registry],
  });
  gauge.set({ version, node: process.versions.node }, 1);
}
