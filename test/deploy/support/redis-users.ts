import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { root } from './read-deploy.ts';

const run = promisify(execFile);

/** What deploy/create-secrets.sh makes for Redis, in a folder of its own. */
export async function makeRedisUsers() {
  const folder = await mkdtemp(join(tmpdir(), 'redis-users-'));
  const secrets = join(folder, 'deploy/secrets');
  for (const file of ['deploy/create-secrets.sh', 'deploy/redis-users.acl'])
    await cp(new URL(file, root), join(folder, file));
  const made = run('sh', ['deploy/create-secrets.sh', '--demo'], { cwd: folder });
  made.child.stdin?.end();
  await made;
  const read = async (name: string) => (await readFile(join(secrets, name), 'utf8')).trim();
  const [intake, worker, password] = await Promise.all(
    ['redis-url-intake', 'redis-url-worker', 'redis-password'].map(read),
  );
  const at = (url: string, port: number) => url.replace('@redis:6379', `@127.0.0.1:${port}`);
  return {
    aclFile: join(secrets, 'redis-acl'),
    /** The URL of each user for a server on this port. */
    urls: (port: number) => ({
      intake: at(intake ?? '', port),
      worker: at(worker ?? '', port),
      operator: at(`redis://operator:${password}@redis:6379`, port),
    }),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
