import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, loadavg, release, totalmem, type } from 'node:os';

/** Where and on what a run took place. */
export interface Machine {
  date: string;
  processor: string;
  cores: number;
  memoryGigabytes: number;
  system: string;
  /** Over the last minute, when the run began: 0 on a machine that does nothing else. */
  loadBefore: number;
  versions: Record<string, string>;
}

export function describeMachine(): Machine {
  const processors = cpus();
  const redis = spawnSync('redis-server', ['--version'], { encoding: 'utf8' }).stdout;
  return {
    date: new Date().toISOString().slice(0, 16).replace('T', ' '),
    processor: processors[0]?.model ?? 'unknown',
    cores: processors.length,
    memoryGigabytes: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
    loadBefore: loadavg()[0] ?? 0,
    versions: {
      node: process.version.slice(1),
      redis: /v=(\S+)/.exec(redis)?.[1] ?? 'unknown',
      ...Object.fromEntries(
        ['bullmq', 'ioredis', 'express', 'bottleneck', 'undici'].map((name) => [name, versionOf(name)]),
      ),
    },
  };
}

function versionOf(name: string): string {
  const require = createRequire(import.meta.url);
  const folder = /.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(require.resolve(name))?.[0] ?? '';
  return (JSON.parse(readFileSync(`${folder}/package.json`, 'utf8')) as { version: string }).version;
}
