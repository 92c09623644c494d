import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { sha256 } from '../test-support/credentials.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { listenToEvents } from '../test-support/listen-to-events.ts';

const entry = (key: string) => `name-of-${key}:read:${sha256(key)}`;

describe('the file of API keys', () => {
  const dir = mkdtempSync(join(tmpdir(), 'watched-keys-'));
  const file = join(dir, 'keys');
  writeFileSync(file, entry('first'));
  after(() => rmSync(dir, { recursive: true }));
  const intake = useIntake(useEmbeddedRedis(), { INTAKE_API_KEYS_FILE: file }, { keyFileIntervalMs: 10 });

  const statusOf = async (key: string) =>
    (await intake.anonymously().get('/v1/quota').set('X-API-Key', key)).status;
  const count = (message: RegExp) => intake.log.filter((line) => message.test(String(line['msg']))).length;

  /** Changes something and waits until the log says that it was seen. */
  async function change(message: RegExp, how: () => void): Promise<Record<string, unknown>> {
    const before = count(message);
    how();
    await waitFor(() => count(message) > before, { what: `the log to say ${message}` });
    return intake.log.findLast((line) => message.test(String(line['msg']))) ?? {};
  }
  const changed = /^API keys changed$/;
  const refused = /^INTAKE_API_KEYS_FILE is not usable/;

  beforeEach('the first key is valid again', async () => {
    if ((await statusOf('first')) === 200) return;
    await change(changed, () => writeFileSync(file, entry('first')));
  });

  it('is read again without a restart: new keys are valid, and those that went are not', async () => {
    const line = await change(changed, () => writeFileSync(file, `${entry('second')}\n${entry('third')}\n`));
    assert.equal(line['keys'], 2);
    assert.deepEqual(
      [await statusOf('first'), await statusOf('second'), await statusOf('third')],
      [401, 200, 200],
    );
  });

  it('ends what those listen to whose key went, at once, and their sessions', async () => {
    const asked = intake.anonymously().post('/session').set('Origin', intake.url).send({ apiKey: 'first' });
    const cookie = String((await asked.expect(204)).headers['set-cookie']).split(';')[0] ?? '';
    const readers = [
      await listenToEvents(intake.url, { 'X-API-Key': 'first' }),
      await listenToEvents(intake.url, { Cookie: cookie }),
    ];
    for (const reader of readers) await reader.next('state');
    await change(changed, () => writeFileSync(file, entry('second')));
    await Promise.all(readers.map((reader) => reader.ended()));
    assert.equal(await statusOf('first'), 401);
    await intake.anonymously().get('/v1/events').set('Cookie', cookie).expect(401);
  });

  it('is noticed when another file takes its name', async () => {
    await change(changed, () => {
      writeFileSync(`${file}.new`, entry('renamed'));
      renameSync(`${file}.new`, file);
    });
    assert.deepEqual([await statusOf('first'), await statusOf('renamed')], [401, 200]);
  });

  it('changes nothing while it is faulty: the log names the entry and why, and no content', async () => {
    const secret = 'plain-key-in-the-wrong-place-0815';
    const line = await change(refused, () => writeFileSync(file, `${entry('first')},soar:sumbit:${secret}`));
    assert.equal(line['level'], 'error');
    const faults = (line['faults'] as string[]).join('\n');
    assert.match(faults, /entry 2 \(soar\) has an unknown scope/);
    assert.match(faults, /entry 2 \(soar\) has an unusable hash/);
    assert.ok(!JSON.stringify(intake.log).includes(secret));
    assert.equal(await statusOf('first'), 200);
  });

  it('changes nothing while it is empty or gone', async () => {
    await change(refused, () => writeFileSync(file, ''));
    assert.equal(await statusOf('first'), 200);
    const line = await change(refused, () => unlinkSync(file));
    assert.match(String(line['faults']), /cannot be read, ENOENT/);
    assert.equal(await statusOf('first'), 200);
    await change(changed, () => writeFileSync(file, entry('back')));
    assert.deepEqual([await statusOf('first'), await statusOf('back')], [401, 200]);
  });
});

describe('the file of API keys in a Kubernetes secret', () => {
  const dir = mkdtempSync(join(tmpdir(), 'secret-'));
  // As the kubelet lays it out: the file is a link into a link, and the inner one is swapped.
  const publish = (version: string, key: string) => {
    mkdirSync(join(dir, version));
    writeFileSync(join(dir, version, 'keys'), entry(key));
    symlinkSync(version, join(dir, 'data-new'));
    renameSync(join(dir, 'data-new'), join(dir, '..data'));
  };
  publish('..2026_01', 'first');
  symlinkSync('..data/keys', join(dir, 'keys'));
  after(() => rmSync(dir, { recursive: true }));
  const env = { INTAKE_API_KEYS_FILE: join(dir, 'keys') };
  const intake = useIntake(useEmbeddedRedis(), env, { keyFileIntervalMs: 10 });

  it('is noticed when its folder is swapped', async () => {
    const ask = (key: string) => intake.anonymously().get('/v1/quota').set('X-API-Key', key);
    await ask('first').expect(200);
    publish('..2026_02', 'second');
    await waitFor(() => intake.log.some((line) => line['msg'] === 'API keys changed'), {
      what: 'the change to be seen',
    });
    await ask('first').expect(401);
    await ask('second').expect(200);
  });
});
