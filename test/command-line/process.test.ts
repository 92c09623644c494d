import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createClient } from '@diq/client/client.ts';
import { keys } from '@diq/intake-api/test-support/credentials.ts';
import { useIntake } from '@diq/intake-api/test-support/intake-under-test.ts';
import { item } from '@diq/intake-api/test-support/items.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';

const run = promisify(execFile);
const diq = fileURLToPath(new URL('../../services/command-line/bin/diq.mjs', import.meta.url));

describe('the process of diq', () => {
  const intake = useIntake(useEmbeddedRedis());

  it('stops at Ctrl-C with a word about what goes on', async () => {
    const client = createClient({ url: intake.url, credential: keys.playbook });
    const { id } = await client.submitRequest(item(1));
    const { PATH } = process.env;
    const child = spawn(process.execPath, [diq, 'watch', id], {
      env: { PATH, DIQ_URL: intake.url, DIQ_API_KEY: keys.playbook },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let complaints = '';
    child.stderr.setEncoding('utf8').on('data', (piece: string) => {
      complaints += piece;
      if (/0\/1/.test(piece)) child.kill('SIGINT');
    });
    const [code] = (await once(child, 'close')) as [number | null];
    assert.equal(code, 130, complaints);
    assert.match(complaints, new RegExp(`diq watch ${id}`));
  });

  it('ends as done where its reader has had enough, and with a code of its own where the answer cannot be written', async function () {
    if (process.platform !== 'linux') this.skip();
    const full = await open('/dev/full', 'w');
    const child = spawn(process.execPath, [diq, '--version'], { stdio: ['ignore', full.fd, 'pipe'] });
    assert.ok(child.stderr);
    const [complaints, [code]] = await Promise.all([text(child.stderr), once(child, 'close'), full.close()]);
    assert.deepEqual([code, complaints], [8, 'diq: The answer cannot be written: ENOSPC\n']);
    const reader = spawn(process.execPath, [diq, '--help'], { stdio: ['ignore', 'pipe', 'ignore'] });
    reader.stdout.destroy();
    assert.deepEqual(await once(reader, 'close'), [0, null]);
  });

  it('prints completions for bash and zsh', async () => {
    const [bash, zsh] = await Promise.all(
      ['/bin/bash', '/bin/zsh'].map(async (SHELL) =>
        run(process.execPath, [diq, 'completion'], { env: { PATH: process.env['PATH'], SHELL } }),
      ),
    );
    assert.match(bash?.stdout ?? '', /complete -o bashdefault .* diq/);
    assert.match(zsh?.stdout ?? '', /^#compdef diq/);
  });
});
