import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { keys } from '@diq/intake-api/test-support/credentials.ts';
import { useIntake } from '@diq/intake-api/test-support/intake-under-test.ts';
import { requireRedisServer, startRedisServer } from '@diq/testing/redis-process.ts';
import type { RedisServer } from '@diq/testing/redis-process.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { see, seeAndJudge } from './support/see-and-judge.ts';
import { signInAs } from './support/sign-in-as.ts';
import { useBrowser } from './support/use-browser.ts';

const goesOn = 'On hold: resumes by itself';
const toCheck = 'On hold: check the cause';
const toAct = 'Stopped: action required';

/** By reason: the title that says who must act, the last answer, what the page says of it, and its runbook entry. */
const holds = [
  ['throttled', goesOn, { code: 'Slow' }, /Defender asked to wait/, 'holdactivetoolong'],
  ['unreachable', toCheck, { code: 'ENOTFOUND' }, /No connection to Defender/, 'holdactivetoolong'],
  ['failing', toCheck, { httpStatus: 503 }, /Defender answers with errors/, 'defendercallsfailing'],
  ['no_token', toAct, { code: 'AADSTS7000215' }, /no usable token/, 'defenderauthenticationfailing'],
  ['not_allowed', toAct, { httpStatus: 403 }, /refuses the application/, 'defenderauthenticationfailing'],
  ['endpoint_unusable', toAct, { httpStatus: 404 }, /is not the Defender API/, 'endpointunusable'],
  ['retired', toAct, { httpStatus: 410 }, /no longer offers this call/, 'endpointretired'],
] as const;

/** By the cause of a 429. */
const causes = [
  ['own', /after our own calls alone: the limit is set too high/, 'throttledbyownuse'],
  ['external', /another program uses the quota of this application\. Find it/, 'throttledbyothers'],
  ['unclear', /another program uses .*, or the limit is set too high/, 'throttledbyothers'],
] as const;

describe('a hold on the status page', () => {
  const intake = useIntake(useEmbeddedRedis());
  const browser = useBrowser();

  it('says in words and colour whether an operator must act, should look, or may wait, and what to do', async () => {
    const { page } = await browser.open(intake.url, { bypassCSP: true });
    await signInAs(page, keys.reader);
    const looks = new Map<string, string>();
    for (const [i, [reason, title, answer, detail, heading]] of holds.entries()) {
      await page.emulateMedia({ colorScheme: 'light' });
      await intake.ledger.hold(reason, (i + 1) * 600_000, answer);
      const notice = page.getByRole('region', { name: title });
      await notice.getByText(detail).last().waitFor();
      await notice
        .getByText(`Last answer: ${'code' in answer ? answer.code : `HTTP ${answer.httpStatus}`}.`)
        .waitFor();
      const link = notice.getByRole('link', { name: 'What to do' });
      assert.equal(await link.getAttribute('href'), `docs/runbook#${heading}`, reason);
      const style = await page.evaluate<string>(styleOfNotice);
      assert.equal(looks.get(title) ?? style, style, reason);
      // axe takes its time, and finds the same in what looks the same.
      await (looks.has(title) ? see : seeAndJudge)(page, `hold-${reason}`);
      looks.set(title, style);
    }
    assert.equal(new Set(looks.values()).size, 3);
  });

  it('has a title that is read from across a room, and links in the colour of the page, whatever it asks', async () => {
    const { page } = await browser.open(intake.url);
    await signInAs(page, keys.reader);
    await intake.ledger.hold('throttled', 600_000);
    await page.locator('.notice').waitFor();
    for (const urgency of ['wait', 'look', 'act']) {
      const size = `(document.querySelector('.notice').className = 'notice ${urgency}',
        getComputedStyle(document.querySelector('.notice h2')).fontSize)`;
      assert.equal(await page.evaluate(size), '24px', urgency);
    }
    const colours = `[...document.querySelectorAll('.notice a, summary, .version a')].map(
      (element) => getComputedStyle(element).color)`;
    const [link, ...accents] = await page.evaluate<string[]>(colours);
    assert.ok(accents.length > 0 && accents.every((accent) => accent === link), `${link} ${accents.join()}`);
  });

  it('leads to an entry of the runbook that is there', async () => {
    const { page } = await browser.open(`${intake.url}/docs/runbook`);
    for (const heading of [...holds.map(([, , , , one]) => one), ...causes.map(([, , one]) => one)]) {
      assert.equal(await page.locator(`[id="${heading}"]`).count(), 1, heading);
    }
  });
});

const styleOfNotice = `(({ borderColor, borderStyle, backgroundColor }) =>
  [borderColor, borderStyle, backgroundColor].join())(getComputedStyle(document.querySelector('.notice')))`;

describe('a 429 on the status page', () => {
  const intake = useIntake(useEmbeddedRedis());
  const browser = useBrowser();

  it('says whose calls it follows: our own, those of another program, or one of both', async () => {
    const { page } = await browser.open(intake.url, { bypassCSP: true });
    await signInAs(page, keys.reader);
    for (const [i, [throttleCause, detail, heading]] of causes.entries()) {
      const answer = { httpStatus: 429, code: 'TooManyRequests', throttleCause };
      await intake.ledger.hold('throttled', (i + 1) * 600_000, answer);
      const notice = page.getByRole('region', { name: toCheck });
      await notice.getByText(detail).waitFor();
      await notice.getByText('Last answer: HTTP 429, TooManyRequests.').waitFor();
      const link = notice.getByRole('link', { name: 'What to do' });
      assert.equal(await link.getAttribute('href'), `docs/runbook#${heading}`, throttleCause);
      await see(page, `throttled-${throttleCause}`);
    }
  });
});

describe('a cold start on the status page', () => {
  const redis = useEmbeddedRedis();
  const intake = useIntake(redis);
  const browser = useBrowser();

  it('is shown by what keeps it from ending, with its code, and without an end that is not known', async () => {
    await redis.flush();
    await intake.ledger.open();
    const { page } = await browser.open(intake.url, { bypassCSP: true });
    await signInAs(page, keys.reader);
    await page.getByRole('region', { name: goesOn }).waitFor();
    await seeAndJudge(page, 'hold-cold-start');
    await intake.ledger.noteRebuildFailure({ cause: 'no_token', code: 'AADSTS7000215' });
    const notice = page.getByRole('region', { name: toAct });
    await notice.getByText(/no access token can be obtained, until this succeeds/).waitFor();
    await notice.getByText('Last answer: AADSTS7000215.').waitFor();
    await seeAndJudge(page, 'hold-cold-start-no-token');
    assert.equal(await intake.ledger.endColdStart(), 'ended');
    await notice.waitFor({ state: 'detached' });
  });
});

describe('a failover on the status page', () => {
  let server: RedisServer | undefined;
  const redis = {
    get url() {
      return server?.url ?? '';
    },
  };
  before('look for redis-server', requireRedisServer);
  before('start Redis', async () => {
    server = await startRedisServer({ appendOnly: true });
  });
  after('stop Redis', () => server?.stop());
  // Each brings the signs of life of one worker.
  const sameQueue = { AZURE_TENANT_ID: randomUUID() };
  const intake = useIntake(redis, sameQueue);
  const other = useIntake(redis, sameQueue);
  const browser = useBrowser();

  it('is said to end by itself, and ends once every worker has reported the calls it knows', async () => {
    const { page } = await browser.open(intake.url, { bypassCSP: true });
    await signInAs(page, keys.reader);
    await server?.restart();
    const isOpen = () => intake.ledger.open().then(Boolean, () => false);
    await waitFor(isOpen, { what: 'the connection to be back' });
    const notice = page.getByRole('region', { name: goesOn });
    await notice.getByText(/^\s*Nothing is called, because Redis was restarted or failed over/).waitFor();
    const link = notice.getByRole('link', { name: 'What to do' });
    assert.equal(await link.getAttribute('href'), 'docs/runbook#after-a-failover');
    await see(page, 'hold-failover');
    await other.ledger.open();
    await notice.waitFor({ state: 'detached' });
  });
});
