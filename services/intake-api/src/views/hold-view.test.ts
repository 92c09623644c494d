import assert from 'node:assert/strict';
import { initiateInvestigation } from '@diq/contracts/operations/initiate-investigation.ts';
import { runAntiVirusScan } from '@diq/contracts/operations/run-antivirus-scan.ts';
import { readFileSync } from 'node:fs';
import type { OperationProfile } from '@diq/contracts/operations/profile.ts';
import { holdReasons } from '@diq/contracts/hold-reasons.ts';
import { throttleCauses } from '@diq/quota/ledger/answers-and-holds.ts';
import { describeHold } from './hold-view.ts';

const runbook = readFileSync(new URL('../../../../docs/runbook.md', import.meta.url), 'utf8');
const anchors = new Set(
  [...runbook.matchAll(/^##+ (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  ),
);

describe('a hold in answers', () => {
  it('says for every reason what to check, and where the runbook says what to do', () => {
    for (const reason of holdReasons) {
      const { detail, runbook: link } = describeHold({ reason, untilMs: 0 }, initiateInvestigation);
      assert.match(detail, /^[A-Z].{20,200}\.$/, reason);
      const [page, anchor = ''] = link.split('#');
      assert.equal(page, 'docs/runbook.md');
      assert.ok(anchors.has(anchor), `${reason}: ${link}`);
    }
  });

  it('adds what was answered last, as status and code alone', () => {
    const hold = { reason: 'not_allowed', untilMs: 0, httpStatus: 403, code: 'DisallowedOperation' };
    assert.match(
      describeHold(hold, initiateInvestigation).detail,
      / Last answer: HTTP 403, DisallowedOperation\.$/,
    );
    assert.match(
      describeHold({ ...hold, reason: 'no_token' }, initiateInvestigation).detail,
      / Last answer: HTTP 403, Disallowed/,
    );
  });

  it('of a 429 says what its cause is, and where the runbook says what to do about that', () => {
    const views = throttleCauses.map((throttleCause) =>
      describeHold({ reason: 'throttled', untilMs: 0, throttleCause }, initiateInvestigation),
    );
    assert.deepEqual(
      views.map(({ action }) => action),
      ['check', 'check', 'check'],
    );
    const [own, external, unclear] = views.map(({ detail }) => detail);
    assert.match(own ?? '', /our own calls alone: the limit is set too high/);
    assert.match(external ?? '', /another program uses the quota of this application\. Find it/);
    assert.match(unclear ?? '', /another program .*, or the limit is set too high/);
    assert.deepEqual(
      views.map(({ runbook: link }) => link.split('#')[1]),
      ['throttledbyownuse', 'throttledbyothers', 'throttledbyothers'],
    );
  });

  it('without a token says whether Entra ID refuses the application, for an operator, or does not answer', () => {
    const describe = (code: string) =>
      describeHold({ reason: 'no_token', untilMs: 0, code }, initiateInvestigation);
    for (const code of [
      'ECONNREFUSED',
      'UND_ERR_CONNECT_TIMEOUT',
      'CERT_HAS_EXPIRED',
      'timeout',
      'http_503',
    ]) {
      assert.equal(describe(code).action, 'check', code);
      assert.match(describe(code).detail, /^Entra ID cannot be reached, or answers with errors/, code);
    }
    for (const code of ['AADSTS7000215', 'invalid_client', 'certificate_expired', 'http_403']) {
      assert.equal(describe(code).action, 'required', code);
      assert.match(describe(code).detail, /^Entra ID gives no usable token/, code);
    }
  });

  it('of the retirement names the notice', () => {
    assert.match(describeHold({ reason: 'retired', untilMs: 0 }, initiateInvestigation).detail, /MC1411577/);
  });

  it('of what an operation knows better says what to do for that one', () => {
    const detailOf = (reason: string, profile: OperationProfile) =>
      describeHold({ reason, untilMs: 0 }, profile).detail;
    for (const reason of ['retired', 'disabled'])
      assert.match(detailOf(reason, initiateInvestigation), /operation runAntiVirusScan/);
    assert.match(detailOf('not_allowed', initiateInvestigation), /role Alert\.ReadWrite\.All/);
    assert.match(detailOf('not_allowed', runAntiVirusScan), /role Machine\.Scan/);
    assert.doesNotMatch(detailOf('retired', runAntiVirusScan), /MC1411577|runAntiVirusScan/);
  });
});
