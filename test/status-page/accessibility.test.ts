import assert from 'node:assert/strict';
import { keys } from '@diq/intake-api/test-support/credentials.ts';
import { useIntake } from '@diq/intake-api/test-support/intake-under-test.ts';
import { machineId } from '@diq/intake-api/test-support/items.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { makePast } from './support/queue-with-a-past.ts';
import { faultsOf } from './support/see-and-judge.ts';
import { signInAs } from './support/sign-in-as.ts';
import { useBrowser } from './support/use-browser.ts';

describe('the status page, for everybody', () => {
  const intake = useIntake(useEmbeddedRedis(), { DEFENDER_CALLS_PER_WINDOW: '5', DEFENDER_WINDOW: '10m' });
  const browser = useBrowser();

  before('give the queue a past, and a pause', async () => {
    await makePast(intake);
    await intake.as('operator', 'post', '/v1/queue/pause', { reason: 'Change window' }).expect(200);
  });

  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [360, 1_280]) {
      it(`leaves axe nothing to find and needs no scrolling sideways: ${colorScheme}, ${width} px wide`, async () => {
        const { page } = await browser.open(intake.url, {
          colorScheme,
          viewport: { width, height: 800 },
          // For axe alone, which the page itself would not run.
          bypassCSP: true,
        });
        await page.getByLabel('API key').fill('wrong');
        await page.getByRole('button', { name: 'Sign in' }).click();
        await page.getByRole('alert').filter({ hasText: 'not valid' }).waitFor();
        assert.deepEqual(await faultsOf(page), []);

        await signInAs(page, keys.reader);
        await page.getByRole('heading', { name: 'Paused' }).waitFor();
        for (const name of ['Calls in this window', 'Calls as a table', 'Queue length as a table']) {
          await page.locator('summary', { hasText: name }).click();
        }
        await page.getByLabel('Request id or machine id').fill(machineId(2));
        await page.keyboard.press('Enter');
        await page.locator('#look-up-result').getByText('1 request found.').waitFor();
        assert.deepEqual(await faultsOf(page), []);
        assert.ok((await page.evaluate<number>('document.documentElement.scrollWidth')) <= width);
      });
    }
  }
});
