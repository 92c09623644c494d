import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { keys } from '@diq/intake-api/test-support/credentials.ts';
import { useIntake } from '@diq/intake-api/test-support/intake-under-test.ts';
import { item, machineId } from '@diq/intake-api/test-support/items.ts';
import { makeCall } from '@diq/intake-api/test-support/worker-moves.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { seeAndJudge } from './support/see-and-judge.ts';
import { signInAs } from './support/sign-in-as.ts';
import { useBrowser } from './support/use-browser.ts';

describe('submitting on the status page', () => {
  const intake = useIntake(useEmbeddedRedis(), { DEFENDER_CALLS_PER_WINDOW: '5' });
  const browser = useBrowser();
  let page: Page;
  let complaints: string[];

  before('one machine waits already', async () => {
    await intake.post('/v1/requests', item(1)).expect(202);
    ({ page, complaints } = await browser.open(intake.url, { bypassCSP: true }));
    await signInAs(page, keys.playbook);
    await page.getByRole('link', { name: 'Submit' }).click();
  });

  const machines = () => page.getByRole('textbox', { name: /^Machines/ });
  const dryRun = () => page.getByRole('button', { name: 'Dry run' });
  const dialog = () => page.getByRole('dialog');
  const fact = async (name: string) =>
    page.locator('#submit dl > div', { has: page.getByText(name, { exact: true }) }).innerText();

  interface Entry {
    machineId?: string;
    machineName?: string;
    comment: string;
    priority: string;
    source?: string;
    correlation?: Record<string, string>;
  }

  async function recorded(): Promise<Entry[]> {
    const { body } = await intake.get('/v1/requests?limit=500').expect(200);
    return (body as { value: Entry[] }).value;
  }

  it('says first what would become of machines that were pasted, by keyboard, and records nothing', async () => {
    await machines().fill(
      [machineId(1), machineId(2), machineId(2).toUpperCase(), 'pc-1.contoso.com', '10.0.0.1', ''].join('\n'),
    );
    await page.getByLabel('Comment, shown in Defender').fill('INC-1: beaconing');
    await page.getByLabel('Correlation, name').fill('incident');
    await page.getByLabel('Correlation, value').fill('INC-1');
    await page.getByLabel('Priority').selectOption('high');
    await page.getByLabel('Priority').press('Enter');
    await dryRun().press('Enter');
    await page.getByRole('heading', { name: 'What would become of them' }).waitFor();
    assert.match(await fact('Accepted'), /2 calls/);
    assert.match(await fact('Shared'), /2 requests share/);
    assert.match(await fact('Machines named'), /3 by machine id, 2 by DNS name/);
    await page.getByRole('row', { name: /^5 10\.0\.0\.1 machineName must be a DNS name/ }).waitFor();
    assert.match(await fact('First start'), /about \d\d:\d\d UTC/);
    await seeAndJudge(page, 'dry-run');
    assert.equal((await recorded()).length, 1);
    // Anything that is changed needs a dry run of its own.
    await machines().press('End');
    await machines().pressSequentially('x');
    assert.equal(await page.getByRole('button', { name: /^Submit \d/ }).count(), 0);
    await machines().press('Backspace');
    await dryRun().click();
  });

  it('submits them once, however often the answer is lost, and shows how far the batch is', async () => {
    await page.getByRole('button', { name: 'Submit 4 requests' }).click();
    await dialog()
      .getByText(/: 2 calls to Defender/)
      .waitFor();
    // The batch arrives; what the service answers does not.
    let lost = 0;
    await page.route('**/v1/batches', async (route) => {
      await route.fetch();
      lost += 1;
      await route.abort();
    });
    const send = dialog().getByRole('button', { name: 'Submit 4 requests' });
    await send.click();
    await dialog().getByText('takes it once').waitFor();
    assert.equal(lost, 1);
    await page.unroute('**/v1/batches');
    await send.click();
    await page.getByRole('heading', { name: 'Submitted' }).waitFor();
    const submitted = page.locator('#submitted');
    await submitted.getByText('1 of 5 items ended').waitFor();
    await page.getByRole('row', { name: /^5 10\.0\.0\.1/ }).waitFor();
    await seeAndJudge(page, 'submitted');
    const all = await recorded();
    assert.equal(all.length, 1 + 4);
    assert.deepEqual(
      all
        .filter(({ correlation }) => correlation?.['incident'] === 'INC-1')
        .map(({ comment, priority }) => [comment, priority]),
      Array.from({ length: 4 }, () => ['INC-1: beaconing', 'high']),
    );
    // It is followed by itself.
    await makeCall(intake, machineId(2), {
      status: 'started',
      attempts: 1,
      result: { kind: 'investigation', id: '5146' },
    });
    await submitted.getByText('3 of 5 items ended').waitFor();
    await submitted.getByRole('button', { name: /^Cancel batch/ }).click();
    await dialog().getByRole('button', { name: 'Cancel the batch' }).click();
    await submitted.getByText('5 of 5 items ended').waitFor();
  });

  it('takes a CSV that is dropped, with its columns', async () => {
    const csv = [
      'Device Name;DeviceId;comment;correlation.ticket;Health',
      `pc-7;${machineId(7)};"Said ""yes""; twice";T-7;Active`,
      `pc-8.contoso.com;;;;Active`,
    ].join('\r\n');
    await machines().evaluate((area, text) => {
      const inPage = globalThis as unknown as {
        DataTransfer: new () => { items: { add(file: unknown): void } };
        File: new (parts: string[], name: string) => unknown;
        DragEvent: new (type: string, init: object) => Event;
      };
      const dataTransfer = new inPage.DataTransfer();
      dataTransfer.items.add(new inPage.File([text], 'machines.csv'));
      area.dispatchEvent(new inPage.DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }));
    }, `\uFEFF${csv}`);
    await dryRun().click();
    await page.getByRole('heading', { name: 'What would become of them' }).waitFor();
    assert.match(await fact('Columns not used'), /Health/);
    await page.getByRole('button', { name: 'Submit 2 requests' }).click();
    await dialog().getByRole('button', { name: 'Submit 2 requests' }).click();
    await page.getByRole('heading', { name: 'Submitted' }).waitFor();
    const found = (await recorded()).filter(
      ({ machineName, machineId: id }) => machineName || id === machineId(7),
    );
    assert.deepEqual(
      found.map(({ machineName, machineId: id, comment, correlation }) => [
        machineName ?? id,
        comment,
        correlation,
      ]),
      [
        ['pc-8.contoso.com', 'INC-1: beaconing', { incident: 'INC-1' }],
        [machineId(7), 'Said "yes"; twice', { incident: 'INC-1', ticket: 'T-7' }],
        ['pc-1.contoso.com', 'INC-1: beaconing', { incident: 'INC-1' }],
      ],
    );
  });

  it('names what cannot be read or accepted by its line', async () => {
    await page.getByLabel('CSV or text file').setInputFiles({
      name: 'machines.csv',
      mimeType: 'text/csv',
      buffer: Buffer.from('machineId,comment\n,nothing\n'),
    });
    await dryRun().click();
    await page.getByText('Line 2 names no machine.').waitFor();
    await machines().fill(`machineId,correlation.__proto__\n${machineId(1)},x`);
    await dryRun().click();
    await page.getByText(/^Line 2: .*is no name that can be kept/).waitFor();
    await machines().fill(`${machineId(1)},${machineId(2)}`);
    await dryRun().click();
    await page.getByText('Line 1 has several columns, and no first line names them.').waitFor();
    await machines().fill('\n10.0.0.1');
    await dryRun().click();
    await page.getByText(/^Line 2: machineName must be a DNS name/).waitFor();
    assert.deepEqual(
      complaints.filter((text) => !/40[0-9]|ERR_FAILED/.test(text)),
      [],
    );
  });

  it('reads a file in UTF-16, and refuses one whose letters would be lost', async () => {
    const file = page.getByLabel('CSV or text file');
    const text = `machineId\tcomment\r\n${machineId(9)}\tVerdächtig`;
    const choose = (buffer: Buffer) =>
      file.setInputFiles({ name: 'machines.txt', mimeType: 'text/plain', buffer });
    await choose(Buffer.from(`\uFEFF${text}`, 'utf16le'));
    await waitFor(async () => (await machines().inputValue()).includes(machineId(9)), {
      what: 'the file to be read',
    });
    assert.equal((await machines().inputValue()).replaceAll('\r', ''), text.replaceAll('\r', ''));
    await choose(Buffer.from(text, 'latin1'));
    await page.getByText('machines.txt is not in UTF-8').waitFor();
    await choose(Buffer.alloc(4_000_000, 'pc\n'));
    await page.getByText('machines.txt is too large').waitFor();
  });

  it('is not offered to who may only read', async () => {
    const { page: looking } = await browser.open(intake.url);
    await signInAs(looking, keys.reader);
    await looking.getByRole('navigation', { name: 'Views' }).getByText('Batches').waitFor();
    assert.equal(await looking.getByRole('link', { name: 'Submit' }).count(), 0);
  });
});
