import assert from 'node:assert/strict';
import { SettingsError, type Env } from '@diq/runtime/settings/read-settings.ts';
import { readIntakeSettings } from './config.ts';
import { keys, keySetting } from '../test-support/credentials.ts';

const base = { REDIS_URL: 'redis://127.0.0.1:6379', AZURE_TENANT_ID: '0fbe4f1a-5e8a-4d4b-9a3c-0a1b2c3d4e5f' };
const entra = {
  INTAKE_ENTRA_TENANT_ID: '0D2F6A5B-7A4E-4C46-9A55-0F1D3AC0B111',
  INTAKE_ENTRA_AUDIENCE: 'api://investigation-queue, 5e0c0f3e-9a40-4be7-8c11-7a2f7d1c2222',
};

function authOf(env: Env) {
  const { auth } = readIntakeSettings({ ...base, ...env });
  assert.ok(auth.kind === 'required');
  return auth;
}

function faultsOf(env: Env): readonly string[] {
  try {
    readIntakeSettings({ ...base, ...env });
  } catch (error) {
    if (error instanceof SettingsError) return error.faults;
    throw error;
  }
  return [];
}

describe('the settings of who may call', () => {
  it('accept tokens of a tenant instead of keys, or beside them', () => {
    const { keys: none, ...rest } = authOf(entra);
    assert.deepEqual(none, []);
    assert.deepEqual(rest, {
      kind: 'required',
      keysFile: undefined,
      entra: {
        tenantId: '0d2f6a5b-7a4e-4c46-9a55-0f1d3ac0b111',
        audiences: ['api://investigation-queue', '5e0c0f3e-9a40-4be7-8c11-7a2f7d1c2222'],
        authorityHost: 'https://login.microsoftonline.com',
      },
    });
    const both = authOf({ ...entra, INTAKE_API_KEYS: keySetting });
    assert.equal(both.keys.length, Object.keys(keys).length);
    assert.ok(both.entra);
  });

  it('accept no tokens by default', () => {
    assert.equal(authOf({ INTAKE_API_KEYS: keySetting }).entra, undefined);
  });

  for (const name of Object.keys(entra)) {
    it(`refuse ${name} alone, also beside keys`, () => {
      const faults = faultsOf({ [name]: entra[name as keyof typeof entra], INTAKE_API_KEYS: keySetting });
      const [missing] = Object.keys(entra).filter((other) => other !== name);
      assert.deepEqual(
        faults.map((fault) => fault.split(':')[0]),
        [missing],
      );
    });
  }

  const unusable: [string, string][] = [
    ['INTAKE_ENTRA_TENANT_ID', 'contoso.onmicrosoft.com'],
    ['INTAKE_ENTRA_TENANT_ID', 'common'],
    ['INTAKE_ENTRA_AUDIENCE', ' , '],
    ['INTAKE_ENTRA_AUDIENCE', 'api://queue other'],
    ['INTAKE_ENTRA_AUTHORITY_HOST', 'http://localhost:8443'],
    ['INTAKE_ENTRA_AUTHORITY_HOST', 'login.microsoftonline.com'],
    ['INTAKE_TRUSTED_PROXIES', '1'],
    ['INTAKE_TRUSTED_PROXIES', '10.0.0.0/33'],
    ['INTAKE_TRUSTED_PROXIES', 'proxy.example'],
    ['INTAKE_MAX_REQUESTS_PER_MINUTE', 'many'],
    ['INTAKE_MAX_BACKLOG', '0'],
    ['INTAKE_MAX_DRAIN', 'a day'],
  ];
  for (const [name, value] of unusable) {
    it(`refuse ${name}=${value}`, () => {
      const faults = faultsOf({ ...entra, [name]: value });
      assert.deepEqual(
        faults.map((fault) => fault.split(':')[0]),
        [name],
      );
    });
  }

  const signIn = {
    INTAKE_ENTRA_CLIENT_ID: '5E0C0F3E-9A40-4BE7-8C11-7A2F7D1C2222',
    INTAKE_ENTRA_CLIENT_SECRET: 'the secret of the application',
    INTAKE_PUBLIC_URL: 'https://Queue.example.com/',
  };

  it('let people sign in with Entra ID where all of it is set, under the public name', () => {
    const { auth, hostNames } = readIntakeSettings({ ...base, ...entra, ...signIn });
    assert.ok(auth.kind === 'required');
    assert.deepEqual(auth.entra?.signIn, {
      clientId: '5e0c0f3e-9a40-4be7-8c11-7a2f7d1c2222',
      clientSecret: 'the secret of the application',
      publicUrl: 'https://queue.example.com',
    });
    assert.deepEqual(hostNames, ['queue.example.com']);
  });

  const parts = { ...entra, ...signIn };
  for (const name of Object.keys(signIn)) {
    it(`name everything that signing in lacks beside ${name} alone, at once`, () => {
      const faults = faultsOf({ [name]: parts[name as keyof typeof parts], INTAKE_API_KEYS: keySetting });
      const missing = Object.keys(parts).filter((other) => other !== name);
      assert.deepEqual(new Set(faults.map((fault) => fault.split(':')[0])), new Set(missing));
    });
  }

  const unusableForSignIn: [keyof typeof signIn, string][] = [
    ['INTAKE_ENTRA_CLIENT_ID', 'status-page'],
    ['INTAKE_PUBLIC_URL', 'http://queue.example.com'],
    ['INTAKE_PUBLIC_URL', 'https://queue.example.com/queue'],
    ['INTAKE_PUBLIC_URL', 'queue.example.com'],
    ['INTAKE_PUBLIC_URL', 'https://anna@queue.example.com'],
  ];
  for (const [name, value] of unusableForSignIn) {
    it(`refuse ${name}=${value}`, () => {
      const faults = faultsOf({ ...parts, [name]: value });
      assert.deepEqual(
        faults.map((fault) => fault.split(':')[0]),
        [name],
      );
    });
  }

  it('take another authority, without the slash at its end', () => {
    const { entra: set } = authOf({
      ...entra,
      INTAKE_ENTRA_AUTHORITY_HOST: 'https://login.microsoftonline.us/',
    });
    assert.equal(set?.authorityHost, 'https://login.microsoftonline.us');
  });

  it('give one caller half of the backlog, a whole batch at least, and all of it where there is but one', () => {
    const shareOf = (env: Env) => readIntakeSettings({ ...base, ...env }).backPressure.maxBacklogOfCaller;
    assert.equal(shareOf({ ...entra, INTAKE_MAX_BACKLOG: '100000' }), 50_000);
    assert.equal(shareOf({ ...entra, INTAKE_MAX_BACKLOG: '15000' }), 10_000);
    assert.equal(shareOf({ INTAKE_AUTH: 'off', INTAKE_MAX_BACKLOG: '100000' }), 100_000);
    assert.equal(shareOf({ ...entra, INTAKE_MAX_BACKLOG_PER_CALLER: '7' }), 7);
  });

  it('let one caller fill half of the memory that may be filled, and all of it where there is but one', () => {
    const shareOf = (env: Env) => readIntakeSettings({ ...base, ...env }).backPressure.maxMemoryShareOfCaller;
    assert.equal(shareOf({ ...entra, INTAKE_MAX_MEMORY_PERCENT: '70' }), 0.35);
    assert.equal(shareOf({ ...entra, INTAKE_MAX_MEMORY_PERCENT_PER_CALLER: '75' }), 0.75);
    assert.equal(shareOf({ INTAKE_AUTH: 'off' }), undefined);
  });

  it('tell the limits', () => {
    const settings = readIntakeSettings({
      ...base,
      ...entra,
      INTAKE_MAX_BACKLOG: '100',
      INTAKE_MAX_DRAIN: '4d',
      INTAKE_MAX_REQUESTS_PER_MINUTE: '0',
      INTAKE_TRUSTED_PROXIES: 'loopback, 10.1.0.0/16,2001:db8::/32',
    });
    assert.deepEqual(settings.backPressure, {
      maxBacklog: 100,
      maxBacklogOfCaller: 100,
      maxDrainMs: 4 * 86_400_000,
      maxMemoryShare: 0.8,
      maxMemoryShareOfCaller: 0.4,
    });
    assert.deepEqual(
      [settings.maxRequestsPerMinute, settings.trustedProxies],
      [0, ['loopback', '10.1.0.0/16', '2001:db8::/32']],
    );
  });
});
