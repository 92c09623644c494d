import assert from 'node:assert/strict';
import { operationNames, operationQuotas } from '../operations.ts';
import { profileOf } from './index.ts';
import { initiateInvestigation } from './initiate-investigation.ts';
import { restrictCodeExecution } from './restrict-code-execution.ts';
import { runAntiVirusScan } from './run-antivirus-scan.ts';
import { startInvestigation } from './start-investigation.ts';
import { unrestrictCodeExecution } from './unrestrict-code-execution.ts';

describe('operation profiles', () => {
  it('describe InitiateInvestigation as documented: path, body, 5 per hour', () => {
    const { path, body } = initiateInvestigation;
    assert.equal(path('fb9ab6be'), '/api/machines/fb9ab6be/InitiateInvestigation');
    assert.deepEqual(body({ comment: 'why', parameters: {} }), { Comment: 'why' });
    assert.deepEqual(operationQuotas.initiateInvestigation, { limits: [{ calls: 5, windowMs: 3_600_000 }] });
  });

  it('describe startInvestigation as documented: path, body, 50 per hour', () => {
    const { path, body } = startInvestigation;
    assert.equal(path('fb9ab6be'), '/api/machines/fb9ab6be/startInvestigation');
    assert.deepEqual(body({ comment: 'why', parameters: {} }), { Comment: 'why' });
    assert.deepEqual(operationQuotas.startInvestigation, { limits: [{ calls: 50, windowMs: 3_600_000 }] });
  });

  it('keep the machine id inside its path segment', () => {
    for (const name of operationNames) {
      const { path } = profileOf(name);
      assert.match(path('a/../b?c#d e'), /^\/api\/machines\/a%2F\.\.%2Fb%3Fc%23d%20e\/\w+$/);
      for (const id of ['', '.', '..']) assert.throws(() => path(id), RangeError);
    }
  });

  it('read the id as a string, and none where it is not certain', () => {
    const readId = (body: unknown) => initiateInvestigation.readResult(body)?.id;
    assert.equal(readId({ value: 5146 }), '5146');
    assert.equal(readId({ value: 'da637205548921456173_375980286' }), 'da637205548921456173_375980286');
    assert.equal(readId({ value: Number.MAX_SAFE_INTEGER }), '9007199254740991');
    const numbers = [0, -0, -1, -5146, 2 ** 53, 1.5, Number.NaN, Number.POSITIVE_INFINITY];
    const texts = ['', ' ', '0', '00', '-1', '1.5', '1e3', '0x10', 'null', 'a b', 'a\u0000', 'Gerät'];
    const uncertain = [...numbers, ...texts, 'x'.repeat(201), null, true, [1], {}, undefined];
    for (const value of uncertain) assert.equal(readId({ value }), undefined);
    for (const body of [undefined, null, 'value', 1, [], {}]) assert.equal(readId(body), undefined);
  });

  it('read the id of an Investigation object where the operation answers with one', () => {
    const readId = (body: unknown) => startInvestigation.readResult(body)?.id;
    const recorded = { id: 'da637205548921456173_375980286', startTime: null, state: 'PendingApproval' };
    assert.equal(readId(recorded), recorded.id);
    assert.equal(readId({ value: 5146 }), undefined);
  });

  it('describe runAntiVirusScan as documented: path, body, both limits, role', () => {
    const { path, body, limits, requiredRole, parameters, readResult, coalescingKey } = runAntiVirusScan;
    assert.equal(path('fb9ab6be'), '/api/machines/fb9ab6be/runAntiVirusScan');
    const asked = { comment: 'why', parameters: { scanType: 'Full' } } as const;
    assert.deepEqual(body(asked), { Comment: 'why', ScanType: 'Full' });
    assert.deepEqual(limits, [
      { calls: 100, windowMs: 60_000 },
      { calls: 1_500, windowMs: 3_600_000 },
    ]);
    assert.equal(requiredRole, 'Machine.Scan');
    for (const bad of [{}, { scanType: 'full' }, { scanType: 'Full', other: 1 }])
      assert.equal(parameters.safeParse(bad).success, false);
    assert.notEqual(coalescingKey({ scanType: 'Quick' }), coalescingKey({ scanType: 'Full' }));
    const shown = { id: 'a-1', requestorComment: 'why [diq:1]', scope: 'Full' };
    const answer = { '@odata.context': 'x', ...shown, status: 'Pending' };
    assert.deepEqual(readResult(answer), { kind: 'machineAction', id: 'a-1', action: shown });
    assert.equal(readResult({ ...answer, id: null }), undefined);
  });

  it('describe restrictCodeExecution as documented: path, body, role', () => {
    const { path, body, requiredRole, isReusable, records } = restrictCodeExecution;
    assert.equal(path('fb9ab6be'), '/api/machines/fb9ab6be/restrictCodeExecution');
    assert.deepEqual(body({ comment: 'why', parameters: {} }), { Comment: 'why' });
    assert.deepEqual(
      [requiredRole, isReusable, records.type],
      ['Machine.RestrictExecution', false, 'RestrictCodeExecution'],
    );
  });

  it('describe unrestrictCodeExecution as documented: path, body, role', () => {
    const { path, body, requiredRole, isReusable, records } = unrestrictCodeExecution;
    assert.equal(path('fb9ab6be'), '/api/machines/fb9ab6be/unrestrictCodeExecution');
    assert.deepEqual(body({ comment: 'why', parameters: {} }), { Comment: 'why' });
    assert.deepEqual(
      [requiredRole, isReusable, records.type],
      ['Machine.RestrictExecution', false, 'UnrestrictCodeExecution'],
    );
  });

  it('have names, keys and advice that fit where they are used', () => {
    for (const name of operationNames) {
      const { advice, wording, limits } = profileOf(name);
      assert.match(name, /^[a-z][A-Za-z]{1,40}$/);
      assert.match(wording.one, new RegExp(`^an? ${wording.noun}$`));
      for (const text of Object.values(advice)) assert.match(text, /^[A-Z].{20,200}\.$/);
      for (const { calls, windowMs } of limits) assert.ok(calls > 0 && windowMs > 0);
    }
    assert.match(profileOf('initiateInvestigation').advice.retired, /runAntiVirusScan/);
  });
});
