import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { keys } from '@diq/intake-api/test-support/credentials.ts';
import { useIntake } from '@diq/intake-api/test-support/intake-under-test.ts';
import { item } from '@diq/intake-api/test-support/items.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { seeAndJudge } from './support/see-and-judge.ts';
import { signInAs } from './support/sign-in-as.ts';
import { useBrowser } from './support/use-browser.ts';

describe('the status page at first sight', () => {
  const intake = useIntake(useEmbeddedRedis(), { DEFENDER_CALLS_PER_WINDOW: '5' });
  const browser = useBrowser();
  let page: Page;

  before('open it on a wall in Delhi', async () => {
    ({ page } = await browser.open(intake.url, {
      bypassCSP: true,
      timezoneId: 'Asia/Kolkata',
      viewport: { width: 1_920, height: 1_080 },
    }));
    await signInAs(page, keys.playbook);
  });

  const view = (name: string) => page.getByRole('navigation', { name: 'Views' }).getByText(name).click();
  const next = () => page.getByRole('region', { name: 'Next in line' });
  const boxOf = async (name: string) => {
    const box = await page.getByRole('region', { name, exact: true }).boundingBox();
    assert.ok(box);
    return box;
  };

  it('says the first step while nothing is there, in each list', async () => {
    await next().getByText('The first step: submit machines').waitFor();
    await seeAndJudge(page, 'empty');
    for (const [name, says] of [
      ['Requests', 'No request fits'],
      ['Batches', 'There is no batch'],
    ] as const) {
      await view(name);
      await page.locator('main').getByText(says).waitFor();
      await page.locator('main').getByRole('link', { name: 'submit machines' }).waitFor();
    }
    await page.locator('main').getByRole('link', { name: 'submit machines' }).click();
    await page.getByRole('button', { name: 'Dry run' }).waitFor();
    // Who may only look gets the command for who may not.
    const { page: looking } = await browser.open(intake.url);
    await signInAs(looking, keys.reader);
    await looking.getByText(`curl ${intake.url}/v1/requests`).waitFor();
    assert.equal(await looking.getByRole('link', { name: 'submit machines' }).count(), 0);
  });

  it('has all times in UTC, or by the clock of the browser, and says which', async () => {
    await intake.post('/v1/requests', item(1)).expect(202);
    await view('Requests');
    await page.getByRole('button', { name: 'Find', exact: true }).click();
    const time = page.getByRole('table').locator('time');
    await time.getByText(/^\d\d:\d\d UTC$/).waitFor();
    const asked = new Date((await time.getAttribute('datetime')) ?? '');
    assert.match((await time.getAttribute('title')) ?? '', / UTC\n.* UTC\+5:30, here$/);
    await page.getByRole('button', { name: 'Times in UTC, show UTC+5:30' }).click();
    const there = new Date(asked.getTime() + 5.5 * 3_600_000).toISOString().slice(11, 16);
    await time.getByText(`${there} UTC+5:30`, { exact: true }).waitFor();
    await page.getByText(/as of \d\d:\d\d:\d\d UTC\+5:30/).waitFor();
    await page.reload();
    await page.getByRole('button', { name: 'Times in UTC+5:30, show UTC' }).click();
    await time.getByText(/^\d\d:\d\d UTC$/).waitFor();
  });

  it('uses the width of a wall, and stands below each other on a phone', async () => {
    await view('Overview');
    await next().getByRole('button', { name: 'Look up' }).waitFor();
    await page.setViewportSize({ width: 1_920, height: 1_080 });
    const [quota, calls] = [await boxOf('Quota'), await boxOf('Last calls')];
    assert.equal(quota.y, calls.y);
    assert.ok(calls.x + calls.width - quota.x > 1_800);
    await seeAndJudge(page, 'overview');
    await page.setViewportSize({ width: 3_840, height: 2_160 });
    const [left, right] = [await boxOf('Quota'), await boxOf('Last calls')];
    assert.ok(right.x + right.width - left.x > 3_700);
    await page.setViewportSize({ width: 390, height: 844 });
    assert.ok((await boxOf('Last calls')).y > (await boxOf('Queue')).y);
  });
});
