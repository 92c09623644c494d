import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { readText, root } from './support/read-deploy.ts';

interface LockedPackage {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly link?: boolean;
  readonly resolved?: string;
}

const locked = (
  JSON.parse(readText('package-lock.json')) as { packages: Readonly<Record<string, LockedPackage>> }
).packages;
const stages = readText('deploy/Dockerfile')
  .split(/^FROM /m)
  .slice(1);
const images = { intake: 'intake-api', worker: 'worker', simulator: 'defender-simulator' };

/** The workspaces whose code an image is given, by folder. */
function copiedInto(target: string): Set<string> {
  const stage = stages.find((it) => it.startsWith(`runtime AS ${target}\n`)) ?? assert.fail(target);
  return new Set(
    [...stage.matchAll(/^COPY ((?:services|shared)\/\S+) \1$/gm)].map(([, folder = '']) => folder),
  );
}

/** The place in the lock file where Node finds a package from there. */
function placeOf(name: string, from: string): string | undefined {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/')))) {
    const place = `${at === '' ? '' : `${at}/`}node_modules/${name}`;
    if (locked[place]) return locked[place].link === true ? locked[place].resolved : place;
    if (at === '') return undefined;
  }
}

/** What npm installs for one workspace, workspaces among it. */
function installedFor(workspace: string): Set<string> {
  const found = new Set([workspace]);
  for (const place of found) {
    const { dependencies, optionalDependencies } = locked[place] ?? assert.fail(place);
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      const next = placeOf(name, place);
      if (next !== undefined) found.add(next);
    }
  }
  return found;
}

/** All files of the repository that a service loads, and the packages that they name, each with a workspace that does. */
function loadedBy(main: string) {
  const files = new Set([main]);
  const packages = new Map<string, string>();
  for (const file of files) {
    const source = readFileSync(new URL(file, root), 'utf8').replaceAll(
      /^(?:import|export) type [^;]*?from '[^']+';/gms,
      '',
    );
    const workspace = file.split('/').slice(0, 2).join('/');
    for (const [, name = ''] of source.matchAll(/(?:\bfrom|\bimport|\bimport\() ?'([@\w./-]+)'/g)) {
      if (isBuiltin(name)) continue;
      const [, own, path] = /^@diq\/([^/]+)\/(.+)$/.exec(name) ?? [];
      if (own !== undefined) {
        const place = placeOf(`@diq/${own}`, workspace) ?? assert.fail(name);
        files.add(`${place}/src/${path}`);
        if (place !== workspace) packages.set(`@diq/${own}`, workspace);
      } else if (name.startsWith('.'))
        files.add(new URL(name, new URL(file, root)).pathname.slice(root.pathname.length));
      else
        packages.set(
          name
            .split('/')
            .slice(0, name.startsWith('@') ? 2 : 1)
            .join('/'),
          workspace,
        );
    }
  }
  return { files: [...files], packages };
}

describe('the contents of the images', () => {
  for (const [target, service] of Object.entries(images)) {
    it(`of the ${target} are the code that it loads, and no workspace besides`, () => {
      const { files } = loadedBy(`services/${service}/src/main.ts`);
      const loaded = new Set(files.map((file) => file.split('/').slice(0, 2).join('/')));
      assert.deepEqual([...copiedInto(target)].toSorted(), [...loaded].toSorted());
      assert.deepEqual(
        files.filter((file) => /\.test\.ts$|\/test-support\//.test(file)),
        [],
      );
    });

    it(`of the ${target} are the packages that it loads, installed for it alone`, () => {
      const { packages } = loadedBy(`services/${service}/src/main.ts`);
      const installed = installedFor(`services/${service}`);
      assert.ok(packages.has('express') && packages.has('zod'));
      for (const [name, workspace] of packages) {
        const place = placeOf(name, workspace) ?? assert.fail(`${name} is not locked`);
        assert.ok(installed.has(place), `${name}, which ${workspace} loads, is not installed`);
      }
      const stage = stages.find((it) => it.startsWith(`manifests AS ${target}-dependencies\n`)) ?? '';
      assert.deepEqual(
        [...stage.matchAll(/--workspace=(\S+)/g)].map(([, name]) => name),
        [`services/${service}`],
      );
      assert.ok(readText('deploy/Dockerfile').includes(`COPY --from=${target}-dependencies /app ./\n`));
    });
  }

  it('are for the worker nothing of what intake, simulator, command line and development need', () => {
    const names = new Set(
      [...installedFor('services/worker')].map((place) => place.split('node_modules/').at(-1)),
    );
    const others =
      'openapi-explorer core-js-pure openid-client marked papaparse selfsigned echarts @grafana/grafana-foundation-sdk playwright-core typescript mocha services/defender-simulator services/command-line shared/testing shared/client';
    for (const name of others.split(' ')) assert.ok(!names.has(name), name);
  });
});
