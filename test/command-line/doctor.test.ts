import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkEnvironment } from '@diq/command-line/doctor/check-environment.ts';
import { startSimulator, stopAll } from '@diq/testing/service-process.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { examine } from '@diq/worker/doctor/examine.ts';

const { signal } = new AbortController();

describe('what doctor finds about the settings of a worker', () => {
  const redis = useEmbeddedRedis();
  const secret = randomBytes(24).toString('base64url');
  let folder: string;
  let env: Record<string, string>;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'diq-doctor-'));
    const identity = { AZURE_TENANT_ID: randomUUID(), AZURE_CLIENT_ID: randomUUID() };
    const { ready } = await startSimulator({
      SIMULATOR_TENANT_ID: identity.AZURE_TENANT_ID,
      SIMULATOR_CLIENT_ID: identity.AZURE_CLIENT_ID,
      SIMULATOR_CLIENT_SECRET: secret,
      SIMULATOR_CA_FILE: join(folder, 'ca.pem'),
      SIMULATOR_ROLES: 'Alert.ReadWrite.All,Machine.Read.All',
    });
    env = {
      ...identity,
      PATH: process.env['PATH'] ?? '',
      REDIS_URL: redis.url,
      AZURE_CLIENT_SECRET: secret,
      AZURE_AUTHORITY_HOST: ready.origin,
      DEFENDER_BASE_URL: ready.origin,
      DEFENDER_OPERATIONS: 'runAntiVirusScan',
      NODE_EXTRA_CA_CERTS: ready.caFile,
      DIQ_API_KEY: 'not-for-the-child',
    };
  });
  after(async () => {
    await stopAll();
    await rm(folder, { recursive: true, force: true });
  });

  it('is a Redis that keeps nothing, and the role that an operation lacks', async () => {
    const findings = await checkEnvironment({ env, signal });
    assert.deepEqual(
      findings.map(({ check, state, detail }) => [check, state, detail]),
      [
        ['settings of the worker', 'ok', '1 tenant'],
        ['Redis', 'warning', 'embedded, and keeps nothing'],
        ['credential of default', 'ok', 'Entra ID gives a token'],
        ['roles of default', 'fault', 'runAntiVirusScan lacks Machine.Scan'],
      ],
    );
    assert.match(findings.at(-1)?.remedy ?? '', /app role Machine\.Scan .* admin consent/);
  });

  it('is a secret that Entra ID refuses, and it is not printed', async () => {
    const wrong = `${secret}-wrong`;
    const findings = await checkEnvironment({ env: { ...env, AZURE_CLIENT_SECRET: wrong }, signal });
    const { state, detail } = findings.find(({ check }) => check === 'credential of default') ?? {};
    assert.deepEqual([state, detail], ['fault', 'no token: AADSTS7000215']);
    assert.ok(!JSON.stringify(findings).includes(secret));
  });

  it('is every setting that is wrong, at once', async () => {
    const findings = await examine({ REDIS_URL: 'nonsense', AZURE_TENANT_ID: 'x' });
    const faults = findings.map(({ detail }) => detail.split(':')[0]);
    for (const name of ['REDIS_URL', 'AZURE_TENANT_ID', 'AZURE_CLIENT_ID'])
      assert.ok(faults.includes(name), name);
    assert.ok(findings.every(({ state }) => state === 'fault'));
  });

  it('is nothing where no such setting is there', async () => {
    assert.deepEqual(await checkEnvironment({ env: { PATH: '' }, signal }), []);
  });
});
