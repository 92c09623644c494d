import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { secretOfReceiver } from './callbacks/sign-callback.ts';

const [newer, older] = ['the newer key of 24 bytes', 'the older key of 24 bytes'].map(
  (text) => `whsec_${Buffer.from(text).toString('base64')}`,
) as [string, string];

function print(argument: string, more: Record<string, string> = {}) {
  const root = new URL('../../../', import.meta.url);
  const settings = {
    CALLBACK_ALLOWED_HOSTS: 'soar.example, hooks.example/T1/',
    CALLBACK_SECRET: newer,
    ...more,
  };
  return spawnSync('npm', ['run', '--silent', 'callback-secret', '--', argument], {
    cwd: root,
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...settings },
    encoding: 'utf8',
  });
}

describe('npm run callback-secret', function () {
  this.timeout(20_000);

  for (const [argument, receiver] of [
    ['soar.example', 'soar.example'],
    ['https://soar.example/any/path?query', 'soar.example'],
    ['https://hooks.example/T1/hook', 'hooks.example/T1/'],
  ] as const) {
    it(`prints what the receiver of ${argument} verifies by`, () => {
      const { status, stdout } = print(argument);
      assert.deepEqual([status, stdout], [0, `${secretOfReceiver(newer, receiver)}\n`]);
    });
  }

  it('prints one for each secret while they are being changed', () => {
    const { stdout } = print('soar.example', { CALLBACK_SECRET: `${newer},${older}` });
    const own = [newer, older].map((secret) => secretOfReceiver(secret, 'soar.example'));
    assert.equal(stdout, `${own.join('\n')}\n`);
  });

  it('prints none for what may not be called, and says why', () => {
    const { status, stdout, stderr } = print('https://hooks.example/T2/');
    assert.deepEqual([status, stdout], [64, '']);
    assert.match(stderr, /CALLBACK_ALLOWED_HOSTS/);
  });

  it('names every fault of the settings, and no secret', () => {
    const { status, stdout, stderr } = print('soar.example', { CALLBACK_SECRET: 's3cret-in-clear' });
    assert.deepEqual([status, stdout], [78, '']);
    assert.match(stderr, /^CALLBACK_SECRET: entry 1/);
    assert.ok(!stderr.includes('s3cret'));
  });
});
