import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import { readRules } from '../operations/support/queries.ts';

const root = new URL('../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');
const page = read('docs/runbook.md');
const alerts = new Map(
  page
    .split(/^### /m)
    .slice(1)
    .map((text) => {
      const section = text.split(/^## /m)[0] ?? '';
      return [section.slice(0, section.indexOf('\n')), section.replaceAll(/\s+/g, ' ')];
    }),
);

const dashboard = z.object({ panels: z.array(z.object({ title: z.string() })) });
const panels = new Set(
  dashboard
    .parse(JSON.parse(read('deploy/grafana/dashboards/investigation-queue.json')))
    .panels.map(({ title }) => title),
);
/** What stands between underscores: a panel of the dashboard. */
const panelsIn = (text: string) =>
  [...text.matchAll(/(?<![\w`])_([^_`]+)_(?!\w)/g)].map(([, title]) => title);

const sources = ['services', 'shared']
  .flatMap((folder) => readdirSync(new URL(folder, root)).map((name) => `${folder}/${name}/src`))
  .filter((folder) => existsSync(new URL(folder, root)))
  .flatMap((folder) =>
    readdirSync(new URL(folder, root), { recursive: true, encoding: 'utf8' }).map(
      (path) => `${folder}/${path}`,
    ),
  )
  .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
  .map(read)
  .join('\n');

function missing(found: Iterable<string | undefined>, known: (one: string) => boolean): string[] {
  return [...new Set(found)].filter((one) => one !== undefined && !known(one)) as string[];
}

describe('docs/runbook.md', () => {
  it('has a heading for each alert, and none for another', async () => {
    const names = (await readRules('alerts.yml')).map(({ alert }) => alert ?? '');
    assert.deepEqual([...alerts.keys()].toSorted(), names.toSorted());
  });

  for (const [name, section] of alerts) {
    it(`says of ${name} what it means, where to look, what to do and when to escalate`, () => {
      for (const part of ['Meaning', 'Look', 'Do', 'Escalate']) {
        assert.match(section, new RegExp(`- \\*\\*${part}[:*]`), part);
      }
      assert.notEqual(panelsIn(section).length, 0, 'names a panel');
    });
  }

  it('names panels that the dashboard has', () => {
    assert.ok(panelsIn(page).length > 20);
    assert.deepEqual(
      missing(panelsIn(page.replaceAll(/```.*?```/gs, '').replaceAll(/\s+/g, ' ')), (title) =>
        panels.has(title),
      ),
      [],
    );
  });

  it('asks routes that the intake has', () => {
    // Those of a named tenant are made of the others.
    const asked = [...page.matchAll(/(?:diq |\$API)'?(\/[\w/-]*)/g)].map(([, path = '']) =>
      path.replace('/ID', '/:id').replace('/tenants/TENANT', ''),
    );
    assert.ok(asked.length > 20);
    const served = new Set([...sources.matchAll(/'(\/[\w/:-]+)'/g)].map(([, path]) => path));
    assert.deepEqual(
      missing(asked, (path) => served.has(path)),
      [],
    );
  });

  it('names settings that there are', () => {
    const example = read('.env.example');
    const named = [...page.matchAll(/`([A-Z]+(?:_[A-Z]+)+)\b/g)].map(([, name]) => name);
    assert.ok(named.length > 10);
    assert.deepEqual(
      missing(named, (name) => new RegExp(`^#? ?${name}=`, 'm').test(example)),
      [],
    );
  });

  it('quotes log lines that the services write', () => {
    const lines = [...page.matchAll(/`"([a-zA-Z_][^"`:]*?),?"`/g)].map(([, line]) => line);
    assert.ok(lines.length > 10, lines.join('\n'));
    assert.deepEqual(
      missing(lines, (line) => sources.includes(line)),
      [],
    );
  });

  it('uses files, secrets and services that the deployment has', () => {
    const compose = read('docker-compose.yml');
    const files = [...page.matchAll(/\b(deploy\/[\w./-]*\w)/g)].map(([, path]) => path);
    assert.deepEqual(
      missing(files, (path) => {
        const isMade = path.startsWith('deploy/secrets/') && compose.includes(`./${path}`);
        return isMade || path.endsWith('/YOURS') || existsSync(new URL(path, root));
      }),
      [],
    );
    assert.ok(compose.includes('redis-data:/data'));
    assert.ok(compose.includes('/run/secrets/redis_password'));
    assert.ok(compose.startsWith('#') && /^name: defender-investigation-queue$/m.test(compose));
  });
});
