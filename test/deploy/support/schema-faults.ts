import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as operator from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1';
import * as apps from 'kubernetes-models/apps/v1';
import * as autoscaling from 'kubernetes-models/autoscaling/v2';
import * as networking from 'kubernetes-models/networking.k8s.io/v1';
import * as policy from 'kubernetes-models/policy/v1';
import * as core from 'kubernetes-models/v1';
import { root } from './read-deploy.ts';
import type { Resource } from './render-overlay.ts';

interface Validated {
  validate(): void;
}

const modelsOf: Record<string, { from: string; models: object }> = {
  v1: { from: 'kubernetes-models/v1', models: core },
  'apps/v1': { from: 'kubernetes-models/apps/v1', models: apps },
  'autoscaling/v2': { from: 'kubernetes-models/autoscaling/v2', models: autoscaling },
  'networking.k8s.io/v1': { from: 'kubernetes-models/networking.k8s.io/v1', models: networking },
  'policy/v1': { from: 'kubernetes-models/policy/v1', models: policy },
  'monitoring.coreos.com/v1': {
    from: '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1',
    models: operator,
  },
};

/** What the schema of its kind has against a resource; `undefined` when nothing. It lets unknown fields pass. */
export function schemaFault(resource: Resource): string | undefined {
  const Model: unknown = Reflect.get(modelsOf[resource.apiVersion]?.models ?? {}, resource.kind);
  if (typeof Model !== 'function') return `no schema for ${resource.apiVersion} ${resource.kind}`;
  try {
    (Reflect.construct(Model, [resource]) as Validated).validate();
    return undefined;
  } catch (error) {
    return `${resource.kind} ${resource.metadata.name}: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/**
 * What the compiler has against the resources as literals of the types made from the same schemas. It sees what
 * {@link schemaFault} does not: fields that do not exist, which Kubernetes would drop without a word.
 */
export async function unknownFields(resources: readonly Resource[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'kubernetes-types-'));
  try {
    await symlink(fileURLToPath(new URL('node_modules', root)), join(folder, 'node_modules'));
    const declared = resources.map((resource, index) => {
      const from = modelsOf[resource.apiVersion]?.from ?? '';
      return `export const r${index}: import('${from}').I${resource.kind} = ${JSON.stringify(resource, undefined, 1)};`;
    });
    await writeFile(join(folder, 'resources.mts'), declared.join('\n'));
    const options = [
      '--ignoreConfig',
      '--noEmit',
      '--strict',
      '--skipLibCheck',
      '--module',
      'nodenext',
      '--target',
      'es2023',
    ];
    return await compile([...options, '--types', '', join(folder, 'resources.mts')]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function compile(args: readonly string[]): Promise<string> {
  const compiler = fileURLToPath(new URL('node_modules/typescript/bin/tsc', root));
  return new Promise((resolve) => {
    execFile(process.execPath, [compiler, ...args], (error, stdout, stderr) =>
      resolve(error ? stdout + stderr : ''),
    );
  });
}
