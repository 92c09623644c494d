import assert from 'node:assert/strict';
import { keys } from '@diq/intake-api/test-support/credentials.ts';
import { useIntake } from '@diq/intake-api/test-support/intake-under-test.ts';
import { item, machineId } from '@diq/intake-api/test-support/items.ts';
import { makeCall } from '@diq/intake-api/test-support/worker-moves.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import type { Page } from 'playwright-core';
import { makePast } from './support/queue-with-a-past.ts';
import { signInAs } from './support/sign-in-as.ts';
import { useBrowser } from './support/use-browser.ts';

describe('the status page in a browser', () => {
  const intake = useIntake(useEmbeddedRedis(), { DEFENDER_CALLS_PER_WINDOW: '5', DEFENDER_WINDOW: '10m' });
  const browser = useBrowser();

  before('give the queue a past', () => makePast(intake));

  const section = (page: Page, name: string) => page.getByRole('region', { name, exact: true });

  it('shows nothing without a key, and reports a wrong one', async () => {
    const { page } = await browser.open(intake.url);
    await page.getByLabel('API key').fill('not a key');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('alert').filter({ hasText: 'This key is not valid.' }).waitFor();
    assert.equal(await page.getByRole('heading', { name: 'Quota' }).count(), 0);
  });

  it('shows quota, queue, calls and failures, and reads them from the service alone', async () => {
    const { page, complaints, requests } = await browser.open(intake.url);
    await signInAs(page, keys.reader);
    await section(page, 'Quota').getByText('4 of 5').waitFor();
    await section(page, 'Queue').locator('#queued', { hasText: /^6$/ }).waitFor();
    await section(page, 'Waiting by priority')
      .getByRole('row', { name: /^high 3 / })
      .waitFor();
    await section(page, 'Waiting by source')
      .getByRole('row', { name: /^servicenow 2 / })
      .waitFor();
    await section(page, 'Waiting by source')
      .getByRole('row', { name: /^no source 1 / })
      .waitFor();
    await page.getByRole('img', { name: '4 calls in the last 24 windows of 10 minutes' }).waitFor();
    await page
      .getByRole('img', { name: /^At most \d+ requests queued in the last 24 hours, 6 now$/ })
      .waitFor();
    await section(page, 'Results').getByText('No result has an outcome yet.').waitFor();
    const next = section(page, 'Next in line').getByRole('listitem');
    assert.match(
      await next.first().innerText(),
      /high[\s\S]*Priority high: a head start of 14 days\.[\s\S]*Nothing is ahead/,
    );
    const failures = section(page, 'Newest failures').getByRole('listitem');
    assert.match((await failures.allInnerTexts()).join(), /unknown.*shows nothing.*failed.*does not know/s);
    // What to do is said beside the unknown one alone.
    assert.equal(await failures.filter({ hasText: 'Look the machine up in the Defender portal' }).count(), 1);
    assert.deepEqual(complaints, []);
    assert.deepEqual([...new Set(requests.map((url) => new URL(url).origin))], [intake.url]);
  });

  it('shows a request come and be started, without being loaded again, and counts down to the next slot', async () => {
    const { page, complaints, requests } = await browser.open(intake.url);
    await signInAs(page, keys.reader);
    await intake.post('/v1/investigations', item(20, { priority: 'critical' })).expect(202);
    const row = section(page, 'Waiting by priority').getByRole('row', { name: /^critical/ });
    await row.filter({ hasText: /critical\s*1/ }).waitFor();
    await section(page, 'Quota').getByText('1 slot free').waitFor();
    await makeCall(intake, machineId(20), {
      status: 'started',
      result: { kind: 'investigation', id: '5147' },
      attempts: 1,
    });
    await section(page, 'Quota').getByText('5 of 5').waitFor();
    await row.filter({ hasText: /critical\s*0/ }).waitFor();

    const clock = page.locator('#next-slot');
    const first = await clock.innerText();
    assert.match(first, /^(10|9):\d\d$/);
    await clock.filter({ hasNotText: first }).waitFor();
    assert.ok(secondsOf(await clock.innerText()) < secondsOf(first));
    // Once for a screen reader, not with each second.
    assert.equal(await page.locator('#announcement').innerText(), 'The next slot opens within 15 minutes.');
    assert.equal(requests.filter((url) => url === `${intake.url}/`).length, 1);
    assert.equal(requests.filter((url) => url.endsWith('/v1/events')).length, 1);
    assert.deepEqual(complaints, []);
  });

  it('looks a request up by its id and by its machine, and says when there is none', async () => {
    const { page } = await browser.open(intake.url);
    await signInAs(page, keys.reader);
    const field = page.getByLabel('Request id or machine id');
    const result = page.locator('#look-up-result');
    await field.fill(machineId(1));
    await page.getByRole('search').getByRole('button', { name: 'Look up' }).click();
    await result.getByText('1 request found.').waitFor();
    await result.getByText('5146, perhaps started by another call', { exact: true }).waitFor();
    const id = await result.locator('code').first().innerText();
    await field.fill(machineId(9));
    await field.press('Enter');
    await result.getByText('Place in the queue').waitFor();
    await result.getByText('Expected start').waitFor();
    await field.fill(machineId(99));
    await field.press('Enter');
    await result.getByText('There is no request for this machine.').waitFor();
    await field.fill(` ${id} `);
    await field.press('Enter');
    await result.getByText('5146, perhaps started by another call', { exact: true }).waitFor();
    await field.fill('anything');
    await field.press('Enter');
    await result.getByText('neither a request id nor a machine id').waitFor();
    await section(page, 'Newest failures').getByRole('button').first().click();
    await result.getByText(machineId(3)).waitFor();
  });

  it('shows a pause with its reason while it lasts', async () => {
    const { page } = await browser.open(intake.url);
    await signInAs(page, keys.reader);
    const reason = '<b>Change</b> window';
    await intake.as('operator', 'post', '/v1/queue/pause', { reason }).expect(200);
    await section(page, 'Paused').getByText(`Paused by operator: “${reason}”`).waitFor();
    assert.equal(await page.locator('#announcement').innerText(), 'On hold: paused by an operator.');
    await intake.as('operator', 'post', '/v1/queue/resume').expect(200);
    await section(page, 'Paused').waitFor({ state: 'detached' });
  });

  it('holds no connection while its tab is hidden, and shows what happened when it is back', async () => {
    const { page } = await browser.open(intake.url);
    await signInAs(page, keys.reader);
    const hide = (hidden: boolean) =>
      page.evaluate(`Object.defineProperty(document, 'hidden', { configurable: true, value: ${hidden} });
        document.dispatchEvent(new Event('visibilitychange'))`);
    const ended = page.waitForEvent('requestfailed', (request) => request.url().endsWith('/v1/events'));
    await hide(true);
    await ended;
    await intake.post('/v1/investigations', item(30, { source: 'while-hidden' })).expect(202);
    await hide(false);
    await section(page, 'Waiting by source')
      .getByRole('row', { name: /^while-hidden/ })
      .waitFor();
  });

  it('signs out: the page forgets what it showed, and the session is worth nothing any more', async () => {
    const { page } = await browser.open(intake.url);
    await signInAs(page, keys.reader);
    const [cookie] = await page.context().cookies();
    assert.ok(cookie?.httpOnly && cookie.sameSite === 'Strict');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('API key').waitFor();
    assert.deepEqual(await page.context().cookies(), []);
    const asked = intake.anonymously().get('/v1/quota').set('Cookie', `${cookie.name}=${cookie.value}`);
    await asked.expect(401);
  });

  it('says that the session has ended, where the person did not sign out', async () => {
    const { page } = await browser.open(intake.url);
    await signInAs(page, keys.reader);
    await page.clock.install();
    await page.context().clearCookies();
    // A tab that comes back connects anew.
    for (const hidden of [true, false]) {
      await page.evaluate(`Object.defineProperty(document, 'hidden', { configurable: true, value: ${hidden} });
        document.dispatchEvent(new Event('visibilitychange'))`);
    }
    await page.getByText('The service sends no state').first().waitFor();
    await page.clock.fastForward(6_000);
    await page.getByText('Your session has ended. Sign in again.').waitFor();
    await signInAs(page, keys.reader);
  });

  it('can be used by keyboard alone, and shows where the focus is', async () => {
    const { page } = await browser.open(intake.url);
    await page.getByLabel('API key').waitFor();
    await page.keyboard.press('Tab');
    await page.keyboard.type(keys.reader);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Quota' }).waitFor();
    const visited: string[] = [];
    await page.locator('#main:focus').waitFor();
    for (let i = 0; i < 13 && visited.at(-2) !== 'look-up-id'; i += 1) {
      await page.keyboard.press('Tab');
      const focus = page.locator(':focus');
      visited.push((await focus.getAttribute('id')) ?? (await focus.innerText()));
      const outline = await page.evaluate<string>('getComputedStyle(document.activeElement).outlineStyle');
      assert.equal(outline, 'solid', visited.at(-1));
    }
    const details = ['Calls in this window', 'Calls as a table', 'Queue length as a table'];
    const ofNext = visited.slice(details.length, -2);
    assert.deepEqual(
      [visited.slice(0, details.length), [...new Set(ofNext)], visited.slice(-2)],
      [details, ['Look up'], ['look-up-id', 'Look up']],
    );
    await page.keyboard.press('Shift+Tab');
    await page.keyboard.type(machineId(5));
    await page.keyboard.press('Enter');
    await page.locator('#look-up-result').getByText('1 request found.').waitFor();
    await page.getByRole('button', { name: 'Sign out' }).focus();
    await page.keyboard.press('Enter');
    await page.locator('#api-key:focus').waitFor();
  });
});

function secondsOf(clock: string): number {
  const [minutes = 0, seconds = 0] = clock.split(':').map(Number);
  return minutes * 60 + seconds;
}
