import assert from 'node:assert/strict';
import type { Env } from '@diq/runtime/settings/read-settings.ts';
import { readIntakeSettings } from './config.ts';

const usable = {
  REDIS_URL: 'redis://127.0.0.1:6379',
  INTAKE_API_KEYS: `soar:submit:${'0'.repeat(64)}`,
  AZURE_TENANT_ID: '0fbe4f1a-5e8a-4d4b-9a3c-0a1b2c3d4e5f',
};
const read = (env: Env) => readIntakeSettings({ ...usable, ...env }).mcp;

describe('the settings of the MCP endpoint', () => {
  it('leave it closed, and bound what waits of a key where it is open', () => {
    assert.equal(read({ MCP_MAX_WAITING: '7' }), undefined);
    assert.deepEqual(read({ MCP: 'on' }), { maxWaiting: 200 });
    assert.deepEqual(read({ MCP: 'on', MCP_MAX_WAITING: '7' }), { maxWaiting: 7 });
  });

  it('say what is wrong and where', () => {
    assert.throws(() => read({ MCP: 'yes please' }), /MCP/);
    assert.throws(() => read({ MCP: 'on', MCP_MAX_WAITING: '0' }), /MCP_MAX_WAITING/);
  });
});
