import assert from 'node:assert/strict';
import { operationNames, operationQuotas, usualOperationNames } from '../operations.ts';
import { collectInvestigationPackage } from './collect-investigation-package.ts';
import { profileOf } from './index.ts';
import { initiateInvestigation } from './initiate-investigation.ts';
import { isolate } from './isolate.ts';
import { offboard } from './offboard.ts';
import type { OperationProfile } from './profile.ts';
import { restrictCodeExecution } from './restrict-code-execution.ts';
import { runAntiVirusScan } from './run-antivirus-scan.ts';
import { runLiveResponse } from './run-live-response.ts';
import { stopAndQuarantineFile } from './stop-and-quarantine-file.ts';
import { startInvestigation } from './start-investigation.ts';
import { unisolate } from './unisolate.ts';
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

  it('describe the actions without parameters as documented: path, body, both limits, role, risk, type', () => {
    const documented = [
      [unisolate, 'unisolate', 'Machine.Isolate', 'respond', 'Unisolate'],
      [
        collectInvestigationPackage,
        'collectInvestigationPackage',
        'Machine.CollectForensics',
        'respond',
        'CollectInvestigationPackage',
      ],
      [offboard, 'offboard', 'Machine.Offboard', 'irreversible', 'Offboard'],
    ] as const;
    for (const [profile, segment, role, risk, type] of documented) {
      const { path, body, limits, requiredRole, isReusable, records } = profile;
      assert.equal(path('fb9ab6be'), `/api/machines/fb9ab6be/${segment}`);
      assert.deepEqual(body({ comment: 'why', parameters: {} }), { Comment: 'why' });
      assert.deepEqual([requiredRole, profile.risk, isReusable, records.type], [role, risk, false, type]);
      assert.deepEqual(
        limits.map(({ calls, windowMs }) => [calls, windowMs]),
        [
          [100, 60_000],
          [1_500, 3_600_000],
        ],
      );
      assert.equal(profile.parameters.safeParse({ other: 1 }).success, false);
    }
  });

  it('describe isolate as documented: one type does not stand for another', () => {
    const { path, body, parameters, coalescingKey, records, requiredRole, risk, isReusable } = isolate;
    assert.equal(path('fb9ab6be'), '/api/machines/fb9ab6be/isolate');
    const asked = { isolationType: 'Selective' } as const;
    assert.deepEqual(body({ comment: 'why', parameters: asked }), {
      Comment: 'why',
      IsolationType: 'Selective',
    });
    assert.deepEqual([requiredRole, risk, isReusable], ['Machine.Isolate', 'respond', false]);
    for (const bad of [{}, { isolationType: 'full' }, { ...asked, other: 1 }])
      assert.equal(parameters.safeParse(bad).success, false);
    const keys = (['Full', 'Selective', 'UnManagedDevice'] as const).map((isolationType) =>
      coalescingKey({ isolationType }),
    );
    assert.equal(new Set(keys).size, 3);
    const shown = { id: 'a-1', requestorComment: undefined };
    assert.equal(records.covers({ ...shown, scope: 'Selective' }, asked), true);
    assert.equal(records.covers({ ...shown, scope: 'Full' }, asked), false);
  });

  it('describe stopAndQuarantineFile as documented: the hash is checked and known again in any case of its letters', () => {
    const { path, body, parameters, coalescingKey, records, requiredRole, risk } = stopAndQuarantineFile;
    assert.equal(path('fb9ab6be'), '/api/machines/fb9ab6be/StopAndQuarantineFile');
    const sha1 = '87662BC3D60E4200CEAF7AAE249D1C343F4B83C9';
    const asked = parameters.parse({ sha1 });
    assert.deepEqual(body({ comment: 'why', parameters: asked }), {
      Comment: 'why',
      Sha1: sha1.toLowerCase(),
    });
    assert.equal(coalescingKey(asked), sha1.toLowerCase());
    assert.deepEqual([requiredRole, risk], ['Machine.StopAndQuarantine', 'respond']);
    for (const bad of [{}, { sha1: sha1.slice(1) }, { sha1: `${sha1}a` }, { sha1: sha1.replace('8', 'g') }])
      assert.equal(parameters.safeParse(bad).success, false);
    const covers = (fileIdentifier: string) => {
      const read = stopAndQuarantineFile.readResult({ id: 'a-1', relatedFileInfo: { fileIdentifier } });
      return read?.action !== undefined && records.covers(read.action, asked);
    };
    assert.equal(covers(sha1), true);
    assert.equal(covers(sha1.replace('8', '9')), false);
    assert.equal(records.covers({ id: 'a-1', requestorComment: undefined, scope: undefined }, asked), false);
  });

  it('name where Defender gives the links to what an action brought, and how often, as documented', () => {
    const { download: collected } = collectInvestigationPackage;
    assert.equal(collected.path('a/1'), '/api/machineactions/a%2F1/getPackageUri');
    assert.deepEqual(collected.limits, [
      { calls: 2, windowMs: 60_000 },
      { calls: 120, windowMs: 3_600_000 },
    ]);
    const { download: live } = runLiveResponse;
    const path = '/api/machineactions/a%2F1/GetLiveResponseResultDownloadLink(index=2)';
    assert.equal(live.path('a/1', 2), path);
    assert.ok(live.goodForMs < 30 * 60_000);
    for (const { path: of } of [collected, live]) assert.throws(() => of('..', 0), RangeError);
  });

  it('put contrary operations into one order on a machine, and bound what runs at once where Defender does', () => {
    const declared = operationNames.flatMap((name) => {
      const { order, concurrency }: OperationProfile = profileOf(name);
      return order === undefined && concurrency === undefined
        ? []
        : [[name, order, concurrency?.calls, concurrency?.offlineCalls]];
    });
    assert.deepEqual(declared, [
      ['restrictCodeExecution', 'codeExecution', undefined, undefined],
      ['unrestrictCodeExecution', 'codeExecution', undefined, undefined],
      ['isolate', 'isolation', undefined, undefined],
      ['unisolate', 'isolation', undefined, undefined],
      ['runLiveResponse', 'liveResponse', 25, 5],
    ]);
  });

  it('are off by default where nothing brings the machine back', () => {
    const off = operationNames.filter((name) => !usualOperationNames.includes(name));
    assert.deepEqual(off, ['offboard']);
    for (const name of operationNames) {
      const { risk } = profileOf(name);
      assert.equal(risk === 'irreversible', off.includes(name), name);
    }
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
