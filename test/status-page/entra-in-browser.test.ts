import assert from 'node:assert/strict';
import { useIntake } from '@diq/intake-api/test-support/intake-under-test.ts';
import { item, machineId } from '@diq/intake-api/test-support/items.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { seeAndJudge } from './support/see-and-judge.ts';
import { useBrowser } from './support/use-browser.ts';
import { people, useEntra } from './support/use-entra.ts';

describe('a person at the status page', () => {
  const entra = useEntra();
  const intake = useIntake(useEmbeddedRedis(), entra.env, { entra: entra.trust });
  const browser = useBrowser();

  it('signs in with Entra ID, acts by name, signs out, and reads why it does not work', async () => {
    const address = `${entra.env['INTAKE_PUBLIC_URL']}/`;
    const { page, requests } = await browser.open(address, { ignoreHTTPSErrors: true, bypassCSP: true });
    const link = page.getByRole('link', { name: 'Sign in with Entra ID' });
    await link.waitFor();
    await link.click();
    await page.getByRole('link', { name: people.anna.username }).click();
    await page.getByRole('heading', { name: 'Quota' }).waitFor();
    assert.equal(page.url(), address);
    await page.getByText('Anna Lind').waitFor();

    await page.getByRole('button', { name: 'Pause', exact: true }).click();
    await page.getByLabel('Reason').fill('a look at the network');
    await page.getByRole('dialog').getByRole('button', { name: 'Pause the queue' }).click();
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
    await page.getByText('Paused by Anna Lind: “a look at the network”, since').waitFor();
    const { body } = await intake.as('operator', 'get', '/v1/audit').expect(200);
    const [entry] = (body as { value: Record<string, unknown>[] }).value;
    assert.deepEqual([entry?.['action'], entry?.['displayName']], ['pause', 'Anna Lind']);

    await intake.post('/v1/requests', item(1)).expect(202);
    await page.getByLabel('Request id or machine id').fill(machineId(1));
    await page.getByLabel('Request id or machine id').press('Enter');
    const result = page.locator('#look-up-result');
    await result.getByRole('button', { name: 'Move to head' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Move to head' }).click();
    const caller = `entra:${entra.env['INTAKE_ENTRA_CLIENT_ID']}/${people.anna.oid}`;
    await result.getByText(`Moved to the head by Anna Lind ${caller}`).waitFor();
    await page.locator('#next').getByText('Moved to the head of the queue by Anna Lind.').waitFor();

    await page.getByRole('button', { name: 'Sign out' }).click();
    await link.click();
    await page.getByRole('link', { name: people.dora.username }).click();
    const fault = page.getByRole('alert').filter({ hasText: 'Investigations.Read' });
    await fault.waitFor();
    await seeAndJudge(page, 'sign-in-without-a-role');
    assert.equal(page.url(), address);
    await page.reload();
    await link.click();
    await page.getByRole('link', { name: 'Cancel' }).click();
    await page.getByRole('alert').filter({ hasText: 'was cancelled' }).waitFor();

    const addressesWithSecrets = requests.filter((url) => /[?&](code|state)=/.test(url));
    const entraOrigin = entra.env['INTAKE_ENTRA_AUTHORITY_HOST'];
    assert.ok(
      addressesWithSecrets.every(
        (url) => url.startsWith(String(entraOrigin)) || url.startsWith(`${address}session/entra/callback?`),
      ),
    );
  });
});
