import assert from 'node:assert/strict';
import { SettingsError, type Env } from '@diq/runtime/settings/read-settings.ts';
import { readIntakeSettings } from './config.ts';

const tenantId = '0fbe4f1a-5e8a-4d4b-9a3c-0a1b2c3d4e5f';
const usable = {
  REDIS_URL: 'redis://127.0.0.1:6379',
  INTAKE_API_KEYS: `soar:submit:${'0'.repeat(64)}`,
  AZURE_TENANT_ID: tenantId,
};

function faultsOf(env: Env): string {
  try {
    readIntakeSettings({ ...usable, ...env });
  } catch (error) {
    if (error instanceof SettingsError) return error.message;
    throw error;
  }
  return '';
}

describe('the settings of the front door', () => {
  it('list applications by tenant, in either case', () => {
    const { frontDoor } = readIntakeSettings({
      ...usable,
      FRONT_DOOR: 'on',
      FRONT_DOOR_CLIENTS: `${tenantId.toUpperCase()}/5E0C0F3E-9A40-4BE7-8C11-7A2F7D1C2222,`,
    });
    assert.deepEqual(frontDoor?.clients, [
      { tenantId, applicationId: '5e0c0f3e-9a40-4be7-8c11-7a2f7d1c2222' },
    ]);
  });

  it('say what is wrong and where', () => {
    const on = { FRONT_DOOR: 'on' };
    assert.match(
      faultsOf({ ...on, FRONT_DOOR_CLIENTS: tenantId }),
      /FRONT_DOOR_CLIENTS.*entry 1 is not usable/,
    );
    assert.match(
      faultsOf({ ...on, FRONT_DOOR_CLIENTS: `${tenantId}/${tenantId},${tenantId}/*` }),
      /FRONT_DOOR_CLIENTS.*entry 2 is not usable/,
    );
    assert.match(faultsOf({ FRONT_DOOR_CLIENTS: `${tenantId}/${tenantId}` }), /set without FRONT_DOOR/);
    assert.match(faultsOf({ ...on, INTAKE_AUTH: 'off' }), /INTAKE_AUTH=off/);
  });
});
