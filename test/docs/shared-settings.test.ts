import assert from 'node:assert/strict';
import { readIntakeSettings } from '@diq/intake-api/config/config.ts';
import { SettingsError, type Env } from '@diq/runtime/settings/read-settings.ts';
import { readWorkerConfig } from '@diq/worker/config.ts';

const complete = {
  REDIS_URL: 'redis://localhost:6379',
  AZURE_TENANT_ID: '11111111-2222-3333-4444-555555555555',
};
const forIntake = { ...complete, INTAKE_API_KEYS: `soar:submit:${'0'.repeat(64)}` };
const forWorker = {
  ...complete,
  AZURE_CLIENT_ID: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
  AZURE_CLIENT_SECRET: 'the-secret-of-the-application',
};

function faultsOf(read: () => unknown): readonly string[] {
  try {
    read();
  } catch (error) {
    if (error instanceof SettingsError) return error.faults;
    throw error;
  }
  return [];
}

describe('settings that must be the same for intake and worker', () => {
  const both = (env: Env) => [
    faultsOf(() => readIntakeSettings({ ...forIntake, ...env })),
    faultsOf(() => readWorkerConfig({ ...forWorker, ...env })),
  ];

  it('are refused by both in the same words', () => {
    for (const env of [
      { AZURE_TENANT_ID: 'contoso.onmicrosoft.com' },
      { DEFENDER_OPERATION: 'runAntivirus' },
      { DEFENDER_CALLS_PER_WINDOW: '0' },
      { DEFENDER_CALLS_PER_WINDOW: '10001' },
      { DEFENDER_WINDOW: '99ms' },
      { DEFENDER_WINDOW: '21d' },
      { DEFENDER_CALL_TIMEOUT: '99ms' },
      { DEFENDER_CALL_TIMEOUT: '11m' },
      { RETENTION: '59m' },
    ]) {
      const [intake, worker] = both(env);
      assert.equal(intake?.length, 1, JSON.stringify(env));
      assert.deepEqual(intake, worker);
    }
  });

  it('are taken by both up to the same bounds', () => {
    for (const env of [
      { DEFENDER_CALLS_PER_WINDOW: '10000', DEFENDER_WINDOW: '20d' },
      { DEFENDER_CALL_TIMEOUT: '10m', DEFENDER_WINDOW: '100ms' },
      { DEFENDER_CALL_TIMEOUT: '100ms', RETENTION: '1h' },
    ]) {
      assert.deepEqual(both(env), [[], []]);
    }
  });
});
