import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { keys } from '@diq/intake-api/test-support/credentials.ts';
import { useIntake } from '@diq/intake-api/test-support/intake-under-test.ts';
import { item, machineId } from '@diq/intake-api/test-support/items.ts';
import { makeCall } from '@diq/intake-api/test-support/worker-moves.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { seeAndJudge } from './support/see-and-judge.ts';
import { signInAs } from './support/sign-in-as.ts';
import { useBrowser } from './support/use-browser.ts';

const perPage = 50;
const waiting = 60;
const tenantId = 'aaaaaaaa-5555-4555-8555-555555555555';

describe('the lists of the status page', () => {
  const intake = useIntake(useEmbeddedRedis(), {
    DEFENDER_CALLS_PER_WINDOW: '20',
    AZURE_TENANT_ID: tenantId,
  });
  const browser = useBrowser();
  let page: Page;
  let complaints: string[];
  let batchId: string;

  before('one batch of an incident of which most wait, and two requests of another', async () => {
    const incident = { source: 'sentinel', correlation: { incident: 'INC-1' } };
    const requests = Array.from({ length: waiting + 4 }, (_, i) =>
      item(i + 1, { ...incident, ...(i < 4 ? { priority: 'critical' } : {}) }),
    );
    const { body } = await intake.post('/v1/batches', { requests }).expect(202);
    batchId = (body as { id: string }).id;
    for (const number of [101, 102]) {
      const other = { source: 'xsoar', correlation: { incident: 'INC-2' }, priority: 'critical' };
      await intake.post('/v1/requests', item(number, other)).expect(202);
    }
    for (const number of [1, 101, 102]) {
      await makeCall(intake, machineId(number), {
        status: 'failed',
        attempts: 1,
        error: { code: 'machine_not_found', message: 'Defender does not know this machine.' },
      });
    }
    await makeCall(intake, machineId(2), {
      status: 'unknown',
      attempts: 1,
      error: { code: 'outcome_unknown', message: 'The answer was lost, and Defender shows nothing.' },
    });
    await makeCall(intake, machineId(3), {
      status: 'started',
      attempts: 1,
      result: { kind: 'investigation', id: '5146' },
    });
    ({ page, complaints } = await browser.open(intake.url, { bypassCSP: true }));
    await signInAs(page, keys.operator);
  });

  const view = (name: string) => page.getByRole('navigation', { name: 'Views' }).getByText(name).click();
  const found = () => page.locator('#requests-found');
  const rows = () => found().getByRole('row');
  const dialog = () => page.getByRole('dialog');
  const status = (name: string) => page.getByRole('checkbox', { name });
  const find = () => page.getByRole('button', { name: 'Find', exact: true }).click();

  async function total(query: string): Promise<number> {
    const { body } = await intake.get(`/v1/requests?limit=500&${query}`).expect(200);
    return (body as { value: unknown[] }).value.length;
  }

  it('show batches with how far they are, and the requests of one, page by page', async () => {
    await view('Batches');
    const card = page.locator('#batches-found').getByRole('listitem');
    await card.getByText(`3 of ${waiting + 4} items ended`).waitFor();
    await card.getByRole('img', { name: `3 of ${waiting + 4} ended` }).waitFor();
    assert.equal(await page.title(), 'Batches · Investigation queue');
    await seeAndJudge(page, 'batches');
    await card.getByRole('button', { name: 'Requests of batch' }).click();
    await found().getByText(`The newest ${perPage} requests`).waitFor();
    assert.equal(await page.getByLabel('Batch id').inputValue(), batchId);
    await found().getByRole('button', { name: 'Show more' }).click();
    await found()
      .getByText(new RegExp(`^${waiting + 4} requests`))
      .waitFor();
    assert.equal(await rows().count(), 1 + waiting + 4);
  });

  it('find requests by incident, by keyboard, and lead to one of them', async () => {
    await page.getByLabel('Batch id').fill('');
    await page.getByLabel('Correlation, name').fill('incident');
    await page.keyboard.press('Enter');
    // A name alone would list everything.
    assert.equal(await page.locator('#find-value:invalid').count(), 1);
    await page.getByLabel('Correlation, value').fill('INC-2');
    await page.keyboard.press('Enter');
    await found().getByText('2 requests').waitFor();
    assert.deepEqual(await rows().locator('code').allInnerTexts(), [machineId(102), machineId(101)]);
    // Defender has no page of a machine that it does not know.
    assert.equal(
      await found()
        .getByRole('link', { name: /in Defender/ })
        .count(),
      0,
    );
    await rows().nth(1).getByRole('button', { name: 'Look up' }).click();
    await page.locator('#look-up-result').getByText('Defender does not know this machine.').waitFor();
    await seeAndJudge(page, 'requests-by-incident');
  });

  it('retry all that failed, after a dialog with their number, and each once', async () => {
    await status('failed').check();
    await find();
    await found().getByText('2 requests').waitFor();
    await found().getByRole('button', { name: 'Retry all of these' }).click();
    await dialog().getByText('2 requests of incident = INC-2 that ended as failed').waitFor();
    await seeAndJudge(page, 'bulk-retry');
    await page.getByLabel('Reason').fill('Agents are back');
    await dialog().getByRole('button', { name: 'Retry 2 requests' }).click();
    await found().getByText('Done: 2 requests retried.').waitFor();
    assert.equal(await total('correlation.incident=INC-2&status=queued'), 2);
    await found().getByRole('button', { name: 'Retry all of these' }).click();
    await found().getByText('There is none to do this with.').waitFor();
  });

  it('lead from the overview to what is unknown, and say what to do', async () => {
    await view('Overview');
    await page.getByRole('button', { name: 'List all unknown' }).click();
    await found().getByText('1 request').waitFor();
    await found().getByText('Look the machine up in the Defender portal').waitFor();
    assert.deepEqual(await rows().locator('code').allInnerTexts(), [machineId(2)]);
    const link = found().getByRole('link', { name: `Machine ${machineId(2)} in Defender` });
    assert.equal(
      await link.getAttribute('href'),
      `https://security.microsoft.com/machines/${machineId(2)}?tid=${tenantId}`,
    );
  });

  it('list by several statuses, priority and time in UTC, with the ends, at an address that leads back to it', async () => {
    await status('failed').check();
    await page.getByLabel('Priority', { exact: true }).selectOption('critical');
    await find();
    await found().getByText('4 requests').waitFor();
    const ended = rows().nth(1).getByRole('cell').nth(3).locator('time');
    assert.ok(Date.parse((await ended.getAttribute('datetime')) ?? '') <= Date.now());
    await found().getByRole('button', { name: 'Retry all of these' }).waitFor();
    const kept = page.url();
    assert.match(kept, /#requests\?status=failed&status=unknown&priority=critical$/);

    const later = new Date(Date.now() + 60_000).toISOString().slice(0, 16);
    await page.getByLabel('Submitted from (UTC)').fill(later);
    await find();
    await found().getByText('No request fits').waitFor();
    assert.equal(new URLSearchParams(page.url().split('?')[1]).get('from'), `${later}:00.000Z`);
    assert.equal(
      await found()
        .getByRole('button', { name: /of these/ })
        .count(),
      0,
    );

    await page.goBack();
    await found().getByText('4 requests').waitFor();
    assert.equal(await page.getByLabel('Submitted from (UTC)').inputValue(), '');
    await page.reload();
    await found().getByText('4 requests').waitFor();
    assert.equal(await status('failed').isChecked(), true);
    await page.getByLabel('Correlation, name').fill('incident');
    await page.getByRole('link', { name: 'Clear' }).click();
    await found().getByText('The newest 50 requests').waitFor();
    assert.equal(await status('failed').isChecked(), false);
    // What was typed is cleared, too, and asks for no value any more.
    assert.equal(await page.locator('#find-requests :invalid').count(), 0);
  });

  it('cancel what waits of a source', async () => {
    await status('queued').check();
    await page.getByLabel('Source').fill('xsoar');
    await find();
    await found().getByText('2 requests').waitFor();
    await found().getByRole('button', { name: 'Cancel all of these' }).click();
    await dialog().getByRole('button', { name: 'Cancel 2 requests' }).click();
    await found().getByText('Done: 2 requests cancelled.').waitFor();
    assert.equal(await total('source=xsoar&status=cancelled'), 2);
  });

  it('cancel a batch', async () => {
    await view('Batches');
    await page.getByRole('button', { name: `Cancel batch ${batchId}` }).click();
    await dialog()
      .getByText(`${waiting + 1} queued requests of the batch end`)
      .waitFor();
    await dialog().getByRole('button', { name: 'Cancel the batch' }).click();
    await page.getByText(`Done: ${waiting + 1} requests cancelled.`).waitFor();
    await page.getByText(`${waiting + 4} of ${waiting + 4} items ended`).waitFor();
    assert.deepEqual(complaints, []);
  });

  it('offer nothing to change to who may only read, and say what is not found', async () => {
    const { page: looking } = await browser.open(intake.url);
    await signInAs(looking, keys.reader);
    await looking.getByRole('navigation', { name: 'Views' }).getByText('Requests').click();
    await looking.getByRole('checkbox', { name: 'failed' }).check();
    await looking.getByRole('button', { name: 'Find', exact: true }).click();
    await looking.locator('#requests-found').getByText('3 requests').waitFor();
    assert.equal(await looking.getByRole('button', { name: /of these/ }).count(), 0);
    await looking.getByLabel('Machine id').first().fill('laptop-1');
    await looking.getByRole('button', { name: 'Find', exact: true }).click();
    await looking.getByRole('alert').filter({ hasText: 'machineId' }).waitFor();
  });
});
