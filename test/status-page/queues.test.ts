import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sha256 } from '@diq/intake-api/test-support/credentials.ts';
import { useIntake } from '@diq/intake-api/test-support/intake-under-test.ts';
import { item } from '@diq/intake-api/test-support/items.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { seeAndJudge } from './support/see-and-judge.ts';
import { useBrowser } from './support/use-browser.ts';

const entry = (name: string, digit: string) => ({
  name,
  tenantId: `${digit.repeat(8)}-5555-4555-8555-555555555555`,
  clientId: '22222222-2222-4222-8222-222222222222',
  clientSecretFile: '/run/secret',
  operations: { initiateInvestigation: {}, startInvestigation: {} },
});

describe('the status page for a key that reaches several queues', () => {
  const dir = mkdtempSync(join(tmpdir(), 'page-tenants-'));
  const file = join(dir, 'tenants.json');
  writeFileSync(file, JSON.stringify({ tenants: [entry('contoso', 'd'), entry('fabrikam', 'e')] }));
  after(() => rmSync(dir, { recursive: true }));
  const key = 'a-key-for-all-tenants';
  const intake = useIntake(useEmbeddedRedis(), {
    TENANTS_FILE: file,
    AZURE_TENANT_ID: '',
    INTAKE_API_KEYS: `all:submit+read:${sha256(key)}:*`,
  });
  const browser = useBrowser();

  it('lists them, shows the one that is chosen with its own requests, and leads back', async () => {
    const asked = intake.anonymously().post('/v1/tenants/fabrikam/investigations').set('X-API-Key', key);
    const { body } = await asked.send({ ...item(1), operation: 'startInvestigation' }).expect(202);
    const { page, complaints } = await browser.open(intake.url, { bypassCSP: true });
    await page.getByLabel('API key').fill(key);
    await page.getByRole('button', { name: 'Sign in' }).click();
    const rows = page.getByRole('region', { name: 'Queues, one in each row' }).getByRole('row');
    await rows.filter({ hasText: /fabrikam startInvestigation\s*1/ }).waitFor();
    assert.equal(await rows.count(), 1 + 4);
    await seeAndJudge(page, 'queues');

    await page.getByLabel('Tenant or operation').fill('fabrikam');
    await page.getByText('2 queues').waitFor();
    await page.getByRole('link', { name: 'fabrikam startInvestigation' }).click();
    await page.getByRole('heading', { name: 'Quota' }).waitFor();
    await page.locator('#queued', { hasText: /^1$/ }).waitFor();
    assert.match(page.url(), /#fabrikam\/startInvestigation$/);
    assert.match(await page.title(), /^fabrikam startInvestigation · /);

    // By its machine it is found in the queue that is shown alone.
    await page.getByLabel('Request id or machine id').fill(item(1).machineId);
    await page.getByRole('search').getByRole('button', { name: 'Look up' }).click();
    await page.getByText('1 request found.').waitFor();
    await page
      .getByText((body as { id: string }).id)
      .first()
      .waitFor();

    // What is submitted there is that queue's, too, and so is what is listed.
    await page.getByRole('link', { name: 'Submit' }).click();
    await page.getByRole('textbox', { name: /^Machines/ }).fill(item(2).machineId);
    await page.getByLabel('Comment, shown in Defender').fill('INC-2');
    assert.equal(await page.getByLabel('Operation').inputValue(), 'startInvestigation');
    await page.getByRole('button', { name: 'Dry run' }).click();
    await page.getByRole('button', { name: 'Submit 1 request' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Submit 1 request' }).click();
    await page.locator('#submitted').getByText('0 of 1 item ended').waitFor();
    await page.getByRole('link', { name: 'Batches' }).click();
    await page.locator('#batches-found').getByText('0 of 1 item ended').waitFor();
    await page.getByRole('link', { name: 'Requests' }).click();
    await page.getByRole('table').getByRole('row').nth(2).waitFor();
    assert.match(page.url(), /#fabrikam\/startInvestigation\/requests$/);
    assert.deepEqual(await page.getByRole('table').locator('code').allInnerTexts(), [
      item(2).machineId,
      item(1).machineId,
    ]);

    await page.getByRole('link', { name: 'All queues' }).click();
    await page.getByRole('link', { name: 'contoso initiateInvestigation' }).waitFor();
    assert.deepEqual(complaints, []);
  });
});
