import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { sha256 } from '../test-support/credentials.ts';
import { useIntake } from '../test-support/intake-under-test.ts';

const folder = join(tmpdir(), `diq-keys-${randomUUID()}`);
const tenantsFile = join(folder, 'tenants.json');
const keysFile = join(folder, 'keys');

function writeTenants(...names: string[]): void {
  const tenants = names.map((name) => ({
    name,
    tenantId: randomUUID(),
    clientId: randomUUID(),
    clientSecretFile: '/run/secrets/none',
    operations: { initiateInvestigation: {} },
  }));
  writeFileSync(tenantsFile, JSON.stringify({ tenants }));
}

describe('API keys that name no tenant', () => {
  before('write the files', () => {
    mkdirSync(folder);
    writeTenants('contoso');
    writeFileSync(keysFile, `plain:read:${sha256('one')}\nbound:read:${sha256('two')}:contoso\n`);
  });
  const redis = useEmbeddedRedis();
  const intake = useIntake(
    redis,
    { TENANTS_FILE: tenantsFile, INTAKE_API_KEYS_FILE: keysFile, AZURE_TENANT_ID: '' },
    { keyFileIntervalMs: 20 },
  );
  after(() => rm(folder, { recursive: true }));

  const warnings = () =>
    intake.log
      .filter(({ msg }) => String(msg).startsWith('API keys that name no tenant'))
      .map(({ keys }) => keys);
  const warned = (count: number) => waitFor(() => warnings().length === count, { what: `warning ${count}` });

  it('are named in the log by name, and never by value, when tenants or keys change so that they reach none', async () => {
    assert.deepEqual(warnings(), []);
    writeTenants('contoso', 'fabrikam');
    await warned(1);
    writeFileSync(keysFile, `plain:read:${sha256('one')}\nother:read:${sha256('three')}\n`);
    await warned(2);
    assert.deepEqual(warnings(), [['plain'], ['other', 'plain']]);
    assert.ok(!JSON.stringify(intake.log).includes(sha256('one')));
    await intake.anonymously().get('/v1/quota').set('X-API-Key', 'one').expect(404);
  });
});
