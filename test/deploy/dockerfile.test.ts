import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { createServer } from 'node:http';
import { readdirSync } from 'node:fs';
import { once } from 'node:events';
import { promisify } from 'node:util';
import type { AddressInfo } from 'node:net';
import { readText, root } from './support/read-deploy.ts';

const run = promisify(execFile);
const source = readText('deploy/Dockerfile').replaceAll('\\\n', ' ');
const lines = source.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
const stages = source.split(/^FROM /m).slice(1);

describe('deploy/Dockerfile', () => {
  it('begins from one exact version of Node and its system, in every stage', () => {
    const external = stages.map((stage) => stage.split(/\s/)[0] ?? '').filter((image) => image.includes(':'));
    assert.equal(new Set(external).size, 1);
    assert.match(external[0] ?? '', /^node:\d+\.\d+\.\d+-[a-z]+-slim(@sha256:[0-9a-f]{64})?$/);
  });

  it('installs what is locked, without what is for development and without running install scripts', () => {
    const installs = lines.filter((line) => /\bnpm (ci|i|install)\b/.test(line));
    assert.equal(installs.length, 3);
    for (const install of installs) assert.match(install, /npm ci --omit=dev --ignore-scripts /);
    assert.doesNotMatch(source, /\b(npx|curl|wget|apt-get)\b/);
    assert.doesNotMatch(source, /^ADD /m);
  });

  it('has freed memory kept as the launcher does', () => {
    const [, value] =
      /MALLOC_ARENA_MAX = '(\d+)'/.exec(readText('shared/runtime/src/processes/spawn-service.ts')) ?? [];
    assert.match(source, new RegExp(`^ENV .*\\bMALLOC_ARENA_MAX=${value}$`, 'm'));
  });

  it('knows the manifest of every workspace, which npm ci compares with the lock file', () => {
    for (const group of ['services', 'shared']) {
      for (const { name } of readdirSync(new URL(group, root), { withFileTypes: true }).filter((it) =>
        it.isDirectory(),
      )) {
        assert.ok(
          lines.includes(`COPY ${group}/${name}/package.json ${group}/${name}/`),
          `${group}/${name} is missing`,
        );
      }
    }
  });

  it('runs every service as a user without rights, by a command that gets its signals', () => {
    const runtime = stages.find((stage) => / AS runtime\b/.test(stage)) ?? '';
    assert.match(runtime, /^USER 1000:1000$/m);
    for (const target of ['intake', 'worker', 'simulator']) {
      const stage = stages.find((it) => it.startsWith(`runtime AS ${target}\n`)) ?? assert.fail(target);
      assert.doesNotMatch(stage, /^USER /m);
      assert.match(stage, /^HEALTHCHECK .* CMD node healthcheck\.mjs /m);
      const [, entry = ''] = /^CMD \["node", "([^"]+)"\]$/m.exec(stage) ?? [];
      assert.ok(readText(entry).length > 0);
      const [, folder = ''] = /^(services\/[^/]+)\//.exec(entry) ?? [];
      assert.ok(stage.includes(`COPY ${folder} ${folder}\n`), `${target} does not copy ${folder}`);
    }
  });

  it('gives each image the code of its own service only', () => {
    for (const stage of stages.filter((it) => it.startsWith('runtime AS '))) {
      assert.equal([...stage.matchAll(/^COPY services\//gm)].length, 1);
      assert.equal(stage.includes('COPY docs/runbook.md docs/\n'), stage.startsWith('runtime AS intake\n'));
    }
  });
});

describe('.dockerignore', () => {
  const rules = readText('.dockerignore').split('\n');

  it('keeps everything out that is not named', () => {
    assert.equal(
      rules.find((rule) => rule !== '' && !rule.startsWith('#')),
      '*',
    );
  });

  it('lets neither secrets nor tests nor foreign modules in', () => {
    assert.ok(rules.every((rule) => !/^!.*(secret|\.env|\.git)/.test(rule)));
    for (const rule of ['**/node_modules', '**/*.test.ts', '**/test-support'])
      assert.ok(rules.includes(rule), rule);
  });
});

describe('deploy/healthcheck.mjs', () => {
  const script = new URL('deploy/healthcheck.mjs', root).pathname;
  const check = (url: string) =>
    run(process.execPath, [script, url]).then(
      () => 0,
      (error: { code: number }) => error.code,
    );

  it('distinguishes healthy, unhealthy and absent services by the exit status', async () => {
    const server = createServer((request, response) => {
      response.writeHead(request.url === '/livez' ? 200 : 503).end();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    assert.equal(await check(`${origin}/livez`), 0);
    assert.equal(await check(`${origin}/readyz`), 1);
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
    assert.equal(await check(`${origin}/livez`), 1);
  });
});

describe('the command of an image', () => {
  it('needs nothing of the repository but what is copied', () => {
    // An older Node than that of the images needs help.
    const { status, stderr } = spawnSync(
      process.execPath,
      [
        '--import',
        new URL('shared/runtime/typescript.mjs', root).href,
        new URL('services/worker/src/main.ts', root).pathname,
      ],
      {
        cwd: new URL('deploy/', root).pathname,
        env: { PATH: process.env['PATH'] },
        encoding: 'utf8',
      },
    );
    assert.match(stderr, /its settings are not usable/);
    assert.equal(status, 78);
  });
});
