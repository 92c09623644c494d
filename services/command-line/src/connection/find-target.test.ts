import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { inspect } from 'node:util';
import { findTarget } from './find-target.ts';

describe('address and key', () => {
  let folder: string;
  let path: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'diq-profiles-'));
    path = join(folder, 'profiles.json');
    const profiles = {
      default: { url: 'https://queue.example', key: 'key-of-default' },
      lab: { url: 'https://lab.example/diq', key: 'key-of-lab', tenant: 'contoso' },
    };
    await writeFile(path, JSON.stringify(profiles), { mode: 0o600 });
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const find = (args: Parameters<typeof findTarget>[0], env: Record<string, string> = {}, stdin = '') => {
    const io = { env: { DIQ_PROFILES: path, ...env }, homeFolder: folder, stdin: Readable.from([stdin]) };
    return findTarget(args, {
      ...io,
      write() {},
      complain() {},
      terminal: undefined,
      signal: new AbortController().signal,
    });
  };

  it('come from the profile that is named, then the environment, then the profile default', async () => {
    const env = { DIQ_URL: 'https://env.example', DIQ_API_KEY: 'key-of-env' };
    const { url, key, tenant } = await find({ profile: 'lab' }, env);
    assert.deepEqual([url, key, tenant], ['https://lab.example/diq', 'key-of-lab', 'contoso']);
    assert.equal((await find({}, env)).key, 'key-of-env');
    assert.equal((await find({})).key, 'key-of-default');
    assert.equal((await find({}, { DIQ_PROFILE: 'lab' })).key, 'key-of-lab');
    assert.equal((await find({}, { ...env, DIQ_PROFILE: '' })).key, 'key-of-env');
    assert.equal((await find({}, { DIQ_PROFILE: '' })).key, 'key-of-default');
  });

  it('come from one place: no key goes to the address of another', async () => {
    await assert.rejects(find({}, { DIQ_URL: 'https://env.example' }), { ending: 'access' });
    await assert.rejects(find({}, { DIQ_API_KEY: 'key-of-env' }), { ending: 'access' });
  });

  it('take the key from stdin where that is asked for', async () => {
    const { url, key } = await find({ keyStdin: true }, { DIQ_URL: 'https://env.example' }, 'piped-key\n');
    assert.deepEqual([url, key], ['https://env.example', 'piped-key']);
  });

  it('are refused of a file that others can read, and the message has no key', async function () {
    if (process.platform === 'win32') this.skip();
    for (const mode of [0o640, 0o604, 0o660]) {
      await chmod(path, mode);
      const isRefused = (error: Error) => /chmod 600/.test(error.message) && !/key-of/.test(inspect(error));
      await assert.rejects(find({}), isRefused);
    }
    await chmod(path, 0o600);
  });

  it('say which profiles there are, and which field is wrong', async () => {
    await assert.rejects(find({ profile: 'prod' }), /no profile 'prod' \(it has: default, lab\)/);
    const faulty = join(folder, 'faulty.json');
    await writeFile(faulty, JSON.stringify({ default: { url: 'x', kee: 'y' } }), { mode: 0o600 });
    const lines = ['  default.key: is required', '  default.kee: is not a known field'];
    await assert.rejects(find({}, { DIQ_PROFILES: faulty }), { lines });
  });
});
