import { useIntake } from '@diq/intake-api/test-support/intake-under-test.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import type { Page } from 'playwright-core';
import { useBrowser } from './support/use-browser.ts';

describe('a page that is open', () => {
  const browser = useBrowser();
  let page: Page | undefined;

  describe('where everybody is let in', () => {
    const intake = useIntake(useEmbeddedRedis(), { INTAKE_AUTH: 'off' });

    it('shows the state at once, and offers no signing out', async () => {
      ({ page } = await browser.open(intake.url));
      await page.getByRole('status').filter({ hasText: 'Live' }).waitFor();
      await page.getByRole('region', { name: 'Quota' }).getByText('0 of 5').waitFor();
      await page.getByRole('button', { name: 'Sign out' }).waitFor({ state: 'detached' });
    });
  });

  describe('when the service is gone', () => {
    it('says that what it shows is old, and goes on showing it', async () => {
      await page?.getByRole('status').filter({ hasText: 'Connection lost' }).waitFor();
      await page?.getByRole('region', { name: 'Quota' }).getByText('0 of 5').waitFor();
    });
  });
});
