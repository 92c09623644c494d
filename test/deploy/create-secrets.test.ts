import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { cp, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { readApiKeyFault } from './support/read-api-keys.ts';
import { readCompose } from './support/compose.ts';
import { root } from './support/read-deploy.ts';

const run = promisify(execFile);
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

describe('deploy/create-secrets.sh', () => {
  let folder: string;
  const create = (args: readonly string[], env: Record<string, string> = {}) => {
    const started = run('sh', ['deploy/create-secrets.sh', ...args], {
      cwd: folder,
      env: { PATH: process.env['PATH'], ...env },
    });
    started.child.stdin?.end();
    return started;
  };
  const read = async (name: string) => (await readFile(join(folder, 'deploy/secrets', name), 'utf8')).trim();
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'create-secrets-'));
    for (const name of ['create-secrets.sh', 'redis-users.acl'])
      await cp(new URL(`deploy/${name}`, root), join(folder, 'deploy', name));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('makes every file that docker-compose.yml names, in a folder that only its owner can enter', async () => {
    await create(['--demo']);
    for (const { file } of Object.values(readCompose().secrets)) {
      const { size, mode } = await stat(join(folder, file));
      assert.ok(size > 0, file);
      assert.equal(mode & 0o777, 0o444, file);
    }
    assert.equal((await stat(join(folder, 'deploy/secrets'))).mode & 0o777, 0o700);
  });

  it('makes a password for each user of Redis, which its URL and the hash in the ACL agree on', async () => {
    await create(['--demo']);
    const passwords: Record<string, string> = { operator: await read('redis-password') };
    for (const user of ['intake', 'worker']) {
      const url = new URL(await read(`redis-url-${user}`));
      assert.equal(`${url.protocol} ${url.username} ${url.host}`, `redis: ${user} redis:6379`);
      passwords[user] = url.password;
    }
    assert.equal(new Set(Object.values(passwords)).size, 3);
    const rules = (await readFile(new URL('deploy/redis-users.acl', root), 'utf8')).trim();
    const filled = rules.replaceAll(
      /#([A-Z]+)/g,
      (_, user: string) => `#${sha256(passwords[user.toLowerCase()] ?? '')}`,
    );
    assert.equal(await read('redis-acl'), filled);
  });

  it('takes over rules that have changed, with the passwords that there are', async () => {
    // As an earlier version left it: one user for all.
    await mkdir(join(folder, 'deploy/secrets'));
    await writeFile(join(folder, 'deploy/secrets/redis-password'), 'of-before\n');
    await writeFile(
      join(folder, 'deploy/secrets/redis-acl'),
      `user default on #${sha256('of-before')} ~* &* +@all\n`,
    );
    await create(['--demo']);
    assert.equal(await read('redis-password'), 'of-before');
    assert.match(await read('redis-acl'), new RegExp(`^user operator on #${sha256('of-before')} `, 'm'));
    assert.match(await read('redis-acl'), /^user default reset$/m);

    const before = await read('redis-acl');
    const rules = join(folder, 'deploy/redis-users.acl');
    await writeFile(rules, (await readFile(rules, 'utf8')).replace(' +zscore', ' +zscore +zdiff'));
    const { stdout } = await create(['--demo']);
    assert.equal(stdout, 'made deploy/secrets/redis-acl\n');
    assert.equal(await read('redis-acl'), before.replace(' +zscore', ' +zscore +zdiff'));
  });

  it('makes no user of Redis whose password is empty', async () => {
    await mkdir(join(folder, 'deploy/secrets'));
    await writeFile(join(folder, 'deploy/secrets/redis-url-intake'), 'redis://redis:6379\n');
    await assert.rejects(create(['--demo']), /no password of the Redis user intake/);
    await assert.rejects(read('redis-acl'), /ENOENT/);
  });

  it('makes an API key that the intake takes', async () => {
    const { stdout } = await create(['--demo']);
    const [, key = ''] = /API key[^:]*: (\S+)/.exec(stdout) ?? [];
    assert.equal(await read('intake-api-keys'), `first:submit+read+admin:${sha256(key)}`);
    assert.equal(readApiKeyFault(await read('intake-api-keys'), await read('callback-secret')), undefined);
  });

  it('signs a certificate for the simulator with an authority of its own', async () => {
    await create(['--demo']);
    const certificate = new X509Certificate(await read('ca/demo-certificate.pem'));
    assert.equal(certificate.checkHost('simulator'), 'simulator');
    assert.ok(certificate.verify(new X509Certificate(await read('ca/demo-ca.pem')).publicKey));
  });

  it('keeps what exists, and shows no key a second time', async () => {
    await create(['--demo']);
    const before = await read('redis-url-worker');
    const { stdout } = await create(['--demo']);
    assert.equal(stdout, '');
    assert.equal(await read('redis-url-worker'), before);
  });

  it('invents no secret that only Entra ID can give', async () => {
    await assert.rejects(create([]), /client secret of the application in Entra ID: not given/);
    await assert.rejects(read('azure-client-secret'), /ENOENT/);
    await create([], { AZURE_CLIENT_SECRET: 'from-entra', ALERT_WEBHOOK_URL: 'https://alerts.example.com/' });
    assert.equal(await read('azure-client-secret'), 'from-entra');
    assert.equal(await read('alert-webhook-url'), 'https://alerts.example.com/');
    await assert.rejects(read('demo-key.pem'), /ENOENT/);
  });

  it('does nothing with an argument that it does not know', async () => {
    await writeFile(join(folder, 'before'), '');
    await assert.rejects(create(['--force']), /create-secrets\.sh --demo/);
    await assert.rejects(stat(join(folder, 'deploy/secrets')), /ENOENT/);
  });
});
