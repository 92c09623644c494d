import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { keys, sha256 } from '@diq/intake-api/test-support/credentials.ts';
import { useIntake } from '@diq/intake-api/test-support/intake-under-test.ts';
import { item, machineId } from '@diq/intake-api/test-support/items.ts';
import { makeCall } from '@diq/intake-api/test-support/worker-moves.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { seeAndJudge } from './support/see-and-judge.ts';
import { signInAs } from './support/sign-in-as.ts';
import { useBrowser } from './support/use-browser.ts';

describe('actions on the status page', () => {
  const intake = useIntake(useEmbeddedRedis(), { INTAKE_AUTH: 'off' });
  const browser = useBrowser();
  let page: Page;
  let complaints: string[];

  before('three wait, and one failed', async () => {
    for (const number of [1, 2, 3, 4]) await intake.post('/v1/investigations', item(number)).expect(202);
    await makeCall(intake, machineId(1), {
      status: 'failed',
      attempts: 1,
      error: { code: 'machine_not_found', message: 'Defender does not know this machine.' },
    });
    ({ page, complaints } = await browser.open(intake.url));
    await page.getByRole('heading', { name: 'Quota' }).waitFor();
  });

  const result = () => page.locator('#look-up-result');
  const dialog = () => page.getByRole('dialog');

  async function lookUp(number: number): Promise<void> {
    await page.getByLabel('Request id or machine id').fill(machineId(number));
    await page.getByLabel('Request id or machine id').press('Enter');
    await result().getByText(machineId(number)).first().waitFor();
  }

  async function newestOf(number: number): Promise<Record<string, unknown>> {
    const { body } = await intake.get(`/v1/investigations?machineId=${machineId(number)}`).expect(200);
    const [newest] = (body as { value: Record<string, unknown>[] }).value;
    return newest ?? {};
  }

  it('cancel by keyboard only; Esc leaves everything as it was and gives the focus back', async () => {
    await lookUp(2);
    const cancel = result().getByRole('button', { name: 'Cancel' });
    await cancel.focus();
    await page.keyboard.press('Enter');
    await dialog()
      .getByText(`The request for machine ${machineId(2)} ends without a call`)
      .waitFor();
    await page.keyboard.press('Escape');
    await dialog().waitFor({ state: 'hidden' });
    assert.ok(await cancel.evaluate((button) => button.ownerDocument.activeElement === button));
    assert.equal((await newestOf(2))['status'], 'queued');

    await page.keyboard.press('Enter');
    await page.getByLabel('Reason').focus();
    await page.keyboard.type('False alarm');
    await page.keyboard.press('Enter');
    await result().getByText('Done: cancel.').waitFor();
    assert.equal((await newestOf(2))['status'], 'cancelled');
    assert.equal(await result().getByRole('button').count(), 0);
  });

  it('change the priority and move to the head', async () => {
    await lookUp(4);
    await result().getByRole('button', { name: 'Change priority' }).click();
    await page.getByLabel('Priority', { exact: true }).selectOption('low');
    await dialog().getByRole('button', { name: 'Change the priority' }).click();
    await result().getByText('Done: change priority.').waitFor();
    assert.equal((await newestOf(4))['priority'], 'low');

    await result().getByRole('button', { name: 'Move to head' }).click();
    await dialog().getByRole('button', { name: 'Move to head' }).click();
    await result().getByText('Done: move to head.').waitFor();
    const { body } = await intake.get('/v1/queue/next').expect(200);
    assert.equal((body as { value: { machineId: string }[] }).value[0]?.machineId, machineId(4));
  });

  it('stand in the history of the request, beside those that share its call', async () => {
    await intake.post('/v1/requests', item(4, { source: 'helpdesk' })).expect(202);
    await lookUp(4);
    await result().getByText('2 requests found.').waitFor();
    const [newest, first] = await result().locator('.cards > li').all();
    assert.ok(newest && first);
    assert.match(
      await first.locator('.history').innerText(),
      /^\d\d:\d\d UTC Submitted\n.* Changed by .*\n.* Moved to the head by /,
    );
    assert.match(await first.innerText(), /Shares its call with\s+1 other request\s+\S+ helpdesk/);
    // From one that shares the call to the other.
    await newest.getByText('Shares its call with').waitFor();
    await newest.locator('.bare').getByRole('button').click();
    await result().getByText('1 request found.').waitFor();
    await result().getByText('Moved to the head by').waitFor();
    await intake.post('/v1/requests/cancel', { source: 'helpdesk' }).expect(200);
  });

  it('retry what failed', async () => {
    await lookUp(1);
    await result().getByRole('button', { name: 'Retry' }).click();
    await dialog().getByRole('button', { name: 'Retry the request' }).click();
    await result().getByText('Done: retry.').waitFor();
    const { status, retryOf } = await newestOf(1);
    assert.equal(status, 'queued');
    assert.ok(retryOf);
  });

  it('say in words why something is refused', async () => {
    await lookUp(3);
    await result().getByRole('button', { name: 'Cancel' }).click();
    await makeCall(intake, machineId(3), {
      status: 'started',
      attempts: 1,
      result: { kind: 'investigation', id: '5146' },
    });
    await dialog().getByRole('button', { name: 'Cancel the request' }).click();
    await dialog()
      .getByRole('alert')
      .getByText(/already/)
      .waitFor();
    await dialog().getByRole('button', { name: 'Leave it' }).click();
    // The browser itself reports each answer that is no success.
    assert.deepEqual(
      complaints.filter((text) => !text.includes('409')),
      [],
    );
  });

  it('pause with a reason, and resume', async () => {
    const judged = await browser.open(intake.url, { bypassCSP: true });
    page = judged.page;
    await page.getByRole('button', { name: 'Pause', exact: true }).click();
    await seeAndJudge(page, 'pause-dialog');
    await dialog().getByRole('button', { name: 'Pause the queue' }).click();
    assert.ok(await dialog().isVisible(), 'not without a reason');
    await page.getByLabel('Reason').fill('Maintenance');
    await dialog().getByRole('button', { name: 'Pause the queue' }).click();
    await page.getByText('“Maintenance”').waitFor();
    await lookUp(4);
    await seeAndJudge(page, 'paused-with-actions');
    await page.getByRole('button', { name: 'Resume', exact: true }).click();
    await dialog().getByRole('button', { name: 'Resume the queue' }).click();
    await page.getByText('“Maintenance”').waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Pause', exact: true }).waitFor();
  });
});

describe('actions of people who may ask for what changes machines', () => {
  const key = 'key-of-the-responder-5a1e';
  const helper = 'key-of-the-helper-4c0d';
  const intake = useIntake(useEmbeddedRedis(), {
    DEFENDER_OPERATION: 'runAntiVirusScan',
    INTAKE_API_KEYS: `responder:respond+read:${sha256(key)},helper:submit+read:${sha256(helper)}`,
  });
  const browser = useBrowser();

  it('are those with what they asked for, though they lack the scope submit', async () => {
    const scan = item(1, { parameters: { scanType: 'Quick' } });
    await intake.anonymously().post('/v1/requests').set('X-API-Key', key).send(scan).expect(202);
    const { page } = await browser.open(intake.url);
    await signInAs(page, key);
    await page.getByLabel('Request id or machine id').fill(machineId(1));
    await page.getByLabel('Request id or machine id').press('Enter');
    const result = page.locator('#look-up-result');
    await result.getByRole('button', { name: 'Change priority' }).waitFor();
    await result.getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel the request' }).click();
    await result.getByText('Done: cancel.').waitFor();
  });

  it('are no retries for who lacks the scope of the operation', async () => {
    const scan = item(2, { parameters: { scanType: 'Quick' } });
    await intake.anonymously().post('/v1/requests').set('X-API-Key', key).send(scan).expect(202);
    await makeCall(intake, machineId(2), {
      status: 'failed',
      attempts: 1,
      error: { code: 'machine_not_found', message: 'Defender does not know this machine.' },
    });
    for (const [who, offered] of [
      [helper, 0],
      [key, 1],
    ] as const) {
      const { page } = await browser.open(intake.url);
      await signInAs(page, who);
      const operations = page.waitForResponse(/\/operations/);
      await page.getByLabel('Request id or machine id').fill(machineId(2));
      await page.getByLabel('Request id or machine id').press('Enter');
      const result = page.locator('#look-up-result');
      await result.getByText('1 request found.').waitFor();
      await (await operations).finished();
      const retry = result.getByRole('button', { name: 'Retry' });
      if (offered === 1) await retry.waitFor();
      assert.equal(await retry.count(), offered);
    }
  });
});

describe('actions of people who signed in', () => {
  const intake = useIntake(useEmbeddedRedis());
  const browser = useBrowser();
  const pause = (page: Page) => page.getByRole('button', { name: 'Pause', exact: true });

  it('are those of the key, whose name the audit has', async () => {
    const { page } = await browser.open(intake.url);
    await signInAs(page, keys.operator);
    await pause(page).click();
    await page.getByLabel('Reason').fill('Maintenance window');
    await page.getByRole('dialog').getByRole('button', { name: 'Pause the queue' }).click();
    await page.getByRole('button', { name: 'Resume' }).waitFor();
    const { body } = await intake.as('operator', 'get', '/v1/audit').expect(200);
    const [latest] = (body as { value: { action: string; by: string; reason: string }[] }).value;
    assert.deepEqual(
      [latest?.action, latest?.by, latest?.reason],
      ['pause', 'operator', 'Maintenance window'],
    );
    await page.close();
  });

  it('are none on a screen that only looks, which stays signed in for 30 days', async () => {
    const { page } = await browser.open(`${intake.url}/?kiosk`);
    await page.getByText('This screen stays signed in for 30 days').waitFor();
    await signInAs(page, keys.operator);
    await page.getByRole('heading', { name: 'Quota' }).waitFor();
    assert.equal(await page.getByRole('button', { name: /Pause|Resume/ }).count(), 0);
    const [cookie] = await page.context().cookies();
    assert.ok(cookie && cookie.expires - Date.now() / 1_000 > 29 * 24 * 3_600);
    await page.close();
  });
});
