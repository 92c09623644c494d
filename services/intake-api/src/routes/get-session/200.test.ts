import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { keySetting } from '../../test-support/credentials.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { signIn } from '../../test-support/sign-in.ts';

const signedOut = { signInNeeded: true, caller: null, endsAt: null };

describe('GET /session', () => {
  const redis = useEmbeddedRedis();
  const intake = useIntake(redis);
  const open = useIntake(redis, { INTAKE_AUTH: 'off' });

  it('tells a browser without a session to sign in', async () => {
    const response = await intake.anonymously().get('/session').expect(200);
    assert.deepEqual(response.body, signedOut);
    assert.equal(response.headers['cache-control'], 'no-store');
  });

  it('tells who is signed in, and until when', async () => {
    const cookie = await signIn(intake, 'reader');
    const { body } = await intake.anonymously().get('/session').set('Cookie', cookie).expect(200);
    const { endsAt, ...rest } = body as { endsAt: string };
    assert.deepEqual(rest, { signInNeeded: false, caller: 'reader' });
    assert.ok(Math.abs(Date.parse(endsAt) - Date.now() - 8 * 3_600_000) < 60_000);
  });

  it('tells that nobody needs to sign in where everybody is let in', async () => {
    const { body } = await open.anonymously().get('/session').expect(200);
    assert.deepEqual(body, { signInNeeded: false, caller: null, endsAt: null });
  });
});

describe('GET /session once the key is gone from the file of keys', () => {
  const file: { path: string; folder: string } = { path: '', folder: '' };
  before(async () => {
    file.folder = await mkdtemp(join(tmpdir(), 'diq-keys-'));
    file.path = join(file.folder, 'keys');
    await writeFile(file.path, keySetting.replaceAll(',', '\n'));
  });
  after(() => rm(file.folder, { recursive: true }));
  const intake = useIntake(
    useEmbeddedRedis(),
    {
      get INTAKE_API_KEYS_FILE() {
        return file.path;
      },
    },
    { keyFileIntervalMs: 5 },
  );

  it('tells the browser to sign in again, as every other route does', async () => {
    const cookie = await signIn(intake, 'reader');
    await intake.anonymously().get('/v1/quota').set('Cookie', cookie).expect(200);
    await writeFile(file.path, keySetting.replaceAll(',', '\n').replace(/reader:.*\n/, ''));
    const ask = () => intake.anonymously().get('/session').set('Cookie', cookie);
    while (!((await ask()).body as { signInNeeded: boolean }).signInNeeded);
    await intake.anonymously().get('/v1/quota').set('Cookie', cookie).expect(401);
  });
});
