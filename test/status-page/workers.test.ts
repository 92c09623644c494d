import assert from 'node:assert/strict';
import { keys } from '@diq/intake-api/test-support/credentials.ts';
import { useIntake } from '@diq/intake-api/test-support/intake-under-test.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { makePast } from './support/queue-with-a-past.ts';
import { seeAndJudge } from './support/see-and-judge.ts';
import { signInAs } from './support/sign-in-as.ts';
import { useBrowser } from './support/use-browser.ts';

describe('the status page while no calls are made', () => {
  const browser = useBrowser();
  const quota = { DEFENDER_CALLS_PER_WINDOW: '5', DEFENDER_WINDOW: '10m' };

  describe('because no worker is running', () => {
    const intake = useIntake(useEmbeddedRedis(), quota);
    before('give the queue a past', () => makePast(intake));

    it('says so at once, since when, and what to do, and expects nothing to start', async () => {
      const { page, complaints } = await browser.open(intake.url, { bypassCSP: true });
      await signInAs(page, keys.reader);
      await page.getByText('Last seen').waitFor({ state: 'detached' });
      await intake.ledger.leave();
      const notice = page.getByRole('region', { name: 'No worker is running' });
      await notice
        .getByText(/^\s*Last seen \d\d:\d\d UTC\.\s+6 requests wait\. Nothing is called\./)
        .waitFor();
      await page
        .getByRole('region', { name: 'Queue', exact: true })
        .getByText('when a worker is running')
        .waitFor();
      assert.equal(
        await page.locator('#announcement').innerText(),
        'No worker is running. Nothing is called.',
      );
      await seeAndJudge(page, 'no-worker');
      await notice.getByRole('link', { name: 'What to do' }).click();
      await page.getByRole('heading', { name: 'WorkerAbsent' }).waitFor();
      assert.match(page.url(), /\/docs\/runbook#workerabsent$/);
      assert.deepEqual(complaints, []);
    });
  });

  describe('although workers are alive, slots are free and requests wait', () => {
    let nowMs = 0;
    let stepMs = 0;
    const workerClockMs = () => (nowMs += stepMs);
    const intake = useIntake(useEmbeddedRedis(), quota, { workerClockMs });
    before('give the queue a past', () => makePast(intake));

    it('says that they are stalled', async () => {
      const { page } = await browser.open(intake.url, { bypassCSP: true });
      await signInAs(page, keys.reader);
      assert.equal(await page.getByText('stalled').count(), 0);
      stepMs = 4_000;
      const notice = page.getByRole('region', { name: 'The workers are stalled' });
      await notice.getByText('1 worker alive, 1 slot free, no hold. 6 requests wait.').waitFor();
      await seeAndJudge(page, 'stalled');
    });
  });

  describe('times', () => {
    const intake = useIntake(useEmbeddedRedis(), quota);

    it('have one form: in UTC, which they say, and with the date where they are not near', async () => {
      const { page } = await browser.open(intake.url, { locale: 'en-US', timezoneId: 'Asia/Tokyo' });
      const inPage = (at: string) =>
        page.evaluate(`import('./status-page/times.js').then(({ moment }) =>
          moment('${at}', Date.parse('2026-11-26T10:00:00Z')))`);
      assert.equal(await inPage('2026-11-26T14:05:09Z'), '14:05 UTC');
      assert.equal(await inPage('2026-11-26T00:05:00Z'), '00:05 UTC');
      assert.equal(await inPage('2026-11-25T14:05:00Z'), '25 Nov 14:05 UTC');
      assert.equal(await inPage('2025-11-25T14:05:00Z'), '25 Nov 2025 14:05 UTC');
    });
  });
});
