import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultHeadStartMs } from '@diq/queue/scheduling/order.ts';
import { parseRedisUrl } from '@diq/redis/redis-address.ts';
import { SettingsError, type Env } from '@diq/runtime/settings/read-settings.ts';
import { queuesOf } from '@diq/tenants/tenant.ts';
import { readIntakeSettings } from './config.ts';
import { keySetting, sha256 } from '../test-support/credentials.ts';

const usable = {
  REDIS_URL: 'redis://127.0.0.1:6379',
  INTAKE_API_KEYS: keySetting,
  AZURE_TENANT_ID: '0FBE4F1A-5E8A-4D4B-9A3C-0A1B2C3D4E5F',
};

function faultsOf(env: Env): readonly string[] {
  try {
    readIntakeSettings(env);
  } catch (error) {
    if (error instanceof SettingsError) return error.faults;
    throw error;
  }
  return [];
}

describe('the settings of the intake', () => {
  it('are refused together with what is wrong in the file of tenants', () => {
    const found = faultsOf({
      ...usable,
      AZURE_TENANT_ID: '',
      INTAKE_PORT: 'x',
      TENANTS_FILE: '/none/tenants.yaml',
    });
    assert.match(found.join('\n'), /^INTAKE_PORT: .*\nTENANTS_FILE: the file cannot be read, ENOENT/);
  });

  it('are refused together with what does not go together, each with every other', () => {
    const contrary = {
      ...usable,
      TENANTS_FILE: '/none/tenants.yaml',
      PRIORITY_HEAD_START_CRITICAL: '1h',
      PRIORITY_HEAD_START_HIGH: '2h',
      PRIORITY_HEAD_START_MEDIUM: '3h',
    };
    const namesOf = (env: Env) => faultsOf(env).map((fault) => fault.split(':')[0]);
    const ofFile = ['AZURE_TENANT_ID', 'TENANTS_FILE'];
    const priorities = ['PRIORITY_HEAD_START_CRITICAL', 'PRIORITY_HEAD_START_HIGH'];
    assert.deepEqual(namesOf(contrary), [...ofFile, ...priorities]);
    assert.deepEqual(namesOf({ ...contrary, INTAKE_PORT: 'x' }), ['INTAKE_PORT', ...ofFile]);
    assert.deepEqual(
      namesOf({ ...usable, QUOTA_RESERVE_CRITICAL: '9', FRONT_DOOR: 'on', INTAKE_AUTH: 'off' }),
      ['QUOTA_RESERVE_CRITICAL', 'FRONT_DOOR'],
    );
  });

  it('need only Redis, keys and the tenant; the rest has defaults', () => {
    const { auth, ...settings } = readIntakeSettings(usable);
    assert.deepEqual(settings, {
      redisAddress: parseRedisUrl('redis://127.0.0.1:6379'),
      proxy: undefined,
      waitReplicas: 0,
      port: 8_080,
      host: undefined,
      hostNames: [],
      tenants: [
        {
          name: 'default',
          tenantId: '0fbe4f1a-5e8a-4d4b-9a3c-0a1b2c3d4e5f',
          portal: 'https://security.microsoft.com',
          defaultOperation: 'initiateInvestigation',
          operations: new Map([
            ['initiateInvestigation', { limits: [{ calls: 5, windowMs: 3_600_000 }], reserveForCritical: 0 }],
          ]),
        },
      ],
      tenantsFile: undefined,
      callTimeoutMs: 30_000,
      retentionMs: 30 * 86_400_000,
      trustedProxies: [],
      followsResults: true,
      auditRetentionMs: 90 * 24 * 3_600_000,
      maxRequestsPerMinute: 600,
      mcp: undefined,
      priorities: { headStartMs: defaultHeadStartMs, fairSources: true },
      reuseWindowMs: 3_600_000,
      backPressure: {
        maxBacklog: 50_000,
        maxBacklogOfCaller: 25_000,
        maxDrainMs: undefined,
        maxMemoryShare: 0.8,
        maxMemoryShareOfCaller: 0.4,
      },
      callbacks: undefined,
      frontDoor: undefined,
    });
    assert.equal(auth.kind, 'required');
  });

  it('take what is set over the defaults', () => {
    const settings = readIntakeSettings({
      ...usable,
      INTAKE_PORT: '0',
      INTAKE_HOST: '127.0.0.1',
      DEFENDER_CALLS_PER_WINDOW: '2',
      DEFENDER_WINDOW: '15m',
      DEFENDER_CALL_TIMEOUT: '3s',
      RETENTION: '7d',
      FOLLOW_UP: 'off',
    });
    assert.equal(settings.followsResults, false);
    assert.deepEqual(
      settings.tenants.flatMap(queuesOf).map(({ limits }) => limits),
      [[{ calls: 2, windowMs: 900_000 }]],
    );
    assert.equal(settings.callTimeoutMs, 3_000);
    assert.deepEqual([settings.port, settings.host, settings.retentionMs], [0, '127.0.0.1', 7 * 86_400_000]);
  });

  it('are refused with all faults at once', () => {
    const faults = faultsOf({
      REDIS_URL: 'http://redis',
      INTAKE_PORT: '80800',
      INTAKE_AUTH: 'maybe',
      INTAKE_API_KEYS: 'xsoar:submit',
      AZURE_TENANT_ID: 'contoso.onmicrosoft.com',
      DEFENDER_OPERATION: 'runAntivirus',
      DEFENDER_CALLS_PER_WINDOW: '0',
      DEFENDER_WINDOW: 'an hour',
      DEFENDER_CALL_TIMEOUT: '1ms',
      RETENTION: '-1d',
      LOG_LEVEL: 'loud',
    });
    assert.deepEqual(
      faults.map((fault) => fault.split(':')[0]),
      [
        'REDIS_URL',
        'INTAKE_PORT',
        'INTAKE_AUTH',
        'INTAKE_API_KEYS',
        'AZURE_TENANT_ID',
        'DEFENDER_OPERATION',
        'DEFENDER_CALLS_PER_WINDOW',
        'DEFENDER_WINDOW',
        'DEFENDER_CALL_TIMEOUT',
        'RETENTION',
        'LOG_LEVEL',
      ],
    );
  });

  it('are refused without keys, together with whatever else is missing', () => {
    const faults = faultsOf({});
    assert.deepEqual(
      faults.map((fault) => fault.split(':')[0]),
      ['REDIS_URL', 'INTAKE_API_KEYS', 'AZURE_TENANT_ID'],
    );
    assert.match(faults[1] ?? '', /INTAKE_AUTH=off written out/);
  });

  it('let everybody in only when that is written out', () => {
    const { INTAKE_API_KEYS: _, ...withoutKeys } = usable;
    assert.equal(faultsOf(withoutKeys).length, 1);
    assert.equal(faultsOf({ ...withoutKeys, INTAKE_AUTH: 'required' }).length, 1);
    assert.deepEqual(readIntakeSettings({ ...withoutKeys, INTAKE_AUTH: 'off' }).auth, { kind: 'off' });
  });

  it('take the keys out of a file, one per line or separated by commas, with comments', () => {
    const dir = mkdtempSync(join(tmpdir(), 'intake-keys-'));
    try {
      const file = join(dir, 'keys');
      writeFileSync(file, `# of the playbooks\n${entry('a')}\n\n${entry('b')},${entry('c')} # rotated\n`);
      const { INTAKE_API_KEYS: _, ...withoutKeys } = usable;
      const { auth } = readIntakeSettings({ ...withoutKeys, INTAKE_API_KEYS_FILE: file });
      assert.ok(auth.kind === 'required');
      assert.deepEqual(
        auth.keys.map(({ name }) => name),
        ['a', 'b', 'c'],
      );
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});

function entry(name: string): string {
  return `${name}:submit:${sha256(name)}`;
}
