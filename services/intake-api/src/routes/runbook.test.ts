import assert from 'node:assert/strict';
import { initiateInvestigation } from '@diq/contracts/operations/initiate-investigation.ts';
import { holdReasons } from '@diq/contracts/hold-reasons.ts';
import { describeHold } from '../views/hold-view.ts';
import { expectProblem } from '../test-support/expect-problem.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { redisAway } from '../test-support/items.ts';
import { renderRunbook } from './runbook.ts';

describe('GET /docs/runbook', () => {
  const intake = useIntake(redisAway);
  const read = async () => (await intake.anonymously().get('/docs/runbook').expect(200)).text;

  it('has the section that each hold names, without Redis and without a credential', async () => {
    const html = await read();
    for (const reason of holdReasons) {
      const heading = describeHold({ reason, untilMs: 0 }, initiateInvestigation).runbook.split('#')[1];
      assert.ok(html.includes(` id="${heading}">`), `${reason}: ${heading}`);
    }
  });

  it('links only within itself and to pages of others, and each of its own links leads to a heading', async () => {
    const html = await read();
    const links = [...html.matchAll(/<a href="([^"]*)"/g)].map(([, href = '']) => href);
    const own = links.filter((href) => href.startsWith('#'));
    assert.ok(own.length > 5);
    for (const href of own) assert.ok(html.includes(` id="${href.slice(1)}">`), href);
    for (const href of links.filter((one) => !one.startsWith('#'))) assert.match(href, /^https:/);
  });

  it('runs no script and loads nothing from elsewhere', async () => {
    const { headers } = await intake.anonymously().get('/docs/runbook');
    assert.match(String(headers['content-security-policy']), /^default-src 'none';/);
    assert.doesNotMatch(String(headers['content-security-policy']), /script-src/);
    assert.doesNotMatch(await read(), /<script|src="/);
  });

  it('is read only', async () => {
    expectProblem(await intake.anonymously().post('/docs/runbook'), 'method_not_allowed');
  });
});

describe('a heading of the runbook', () => {
  it('has the id under which a repository shows it', () => {
    assert.match(renderRunbook("## Redis' memory: `80 %`_x"), /<h2 id="redis-memory-80-_x">/);
  });
});
