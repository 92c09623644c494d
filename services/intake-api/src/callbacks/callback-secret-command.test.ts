import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { runCallbackSecretCommand } from './callback-secret-command.ts';
import { secretOfReceiver } from './sign-callback.ts';

const [newer, older] = ['the newer key of 24 bytes', 'the older key of 24 bytes'].map(
  (text) => `whsec_${Buffer.from(text).toString('base64')}`,
) as [string, string];

const settings = { CALLBACK_ALLOWED_HOSTS: 'soar.example, hooks.example/T1/', CALLBACK_SECRET: newer };
const run = (target: string, more: Record<string, string> = {}) =>
  runCallbackSecretCommand(target, { ...settings, ...more });

describe('npm run callback-secret', () => {
  for (const [target, receiver] of [
    ['soar.example', 'soar.example'],
    ['https://soar.example/any/path?query', 'soar.example'],
    ['https://hooks.example/T1/hook', 'hooks.example/T1/'],
  ] as const) {
    it(`prints what the receiver of ${target} verifies by`, () => {
      assert.deepEqual(run(target), { code: 0, lines: [secretOfReceiver(newer, receiver)] });
    });
  }

  it('prints one for each secret while they are being changed', () => {
    const { lines } = run('soar.example', { CALLBACK_SECRET: `${newer},${older}` });
    assert.deepEqual(
      lines,
      [newer, older].map((secret) => secretOfReceiver(secret, 'soar.example')),
    );
  });

  it('prints none for what may not be called, and says why', () => {
    for (const target of ['https://hooks.example/T2/', 'no url at all', '']) {
      const { code, lines } = run(target);
      assert.equal(code, 64);
      assert.match(lines.join(), /CALLBACK_ALLOWED_HOSTS/);
    }
  });

  it('names every fault of the settings, and no secret', () => {
    const { code, lines } = run('soar.example', { CALLBACK_SECRET: 's3cret-in-clear' });
    assert.equal(code, 78);
    assert.match(lines.join('\n'), /^CALLBACK_SECRET: entry 1/);
    assert.ok(!lines.join().includes('s3cret'));
  });

  it('is a command that prints nothing else', () => {
    const { status, stdout } = spawnSync(
      'npm',
      ['run', '--silent', 'callback-secret', '--', 'soar.example'],
      {
        cwd: new URL('../../../../', import.meta.url),
        env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...settings },
        encoding: 'utf8',
      },
    );
    assert.deepEqual([status, stdout], [0, `${secretOfReceiver(newer, 'soar.example')}\n`]);
  });
});
