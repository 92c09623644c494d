import assert from 'node:assert/strict';
import type { OperationName } from '@diq/contracts/operations.ts';
import { queuesOf, type Tenant } from '@diq/tenants/tenant.ts';
import { createQueueDirectory, queueFor } from './queue-directory.ts';

const rules = { limits: [{ calls: 5, windowMs: 3_600_000 }], reserveForCritical: 0 };

function tenant(name: string, id: string, ...operations: OperationName[]): Tenant {
  const [first = 'initiateInvestigation'] = operations;
  const all = new Map([first, ...operations].map((operation) => [operation, rules]));
  return { name, tenantId: id, defaultOperation: first, operations: all };
}

const caller = (tenants?: ReadonlySet<string> | 'all') => ({ name: 'soar', scopes: new Set([]), tenants });
const everywhere = caller('all');
const tagOf = (of: Tenant, at = 0) => queuesOf(of)[at]?.tag ?? '';

describe('the directory of queues', () => {
  const [one, two] = [tenant('one', '1'), tenant('two', '2')];
  const names = (directory: ReturnType<typeof createQueueDirectory>, who: ReturnType<typeof caller>) =>
    directory.tenantsOf(who).map(({ tenant: { name } }) => name);

  it('leads a caller that names no tenant to the only one in the settings, whatever tenants there were before', () => {
    const directory = createQueueDirectory([one, two]);
    assert.deepEqual(names(directory, caller()), []);
    directory.setTenants([one]);
    assert.deepEqual(names(directory, caller()), ['one']);
    assert.equal(directory.findByTag(caller(), tagOf(two)), undefined);
    directory.setTenants([one], [two, tenant('three', '3')]);
    assert.deepEqual(names(directory, caller()), ['one']);
    assert.deepEqual(names(directory, everywhere), ['one', 'two', 'three']);
  });

  it('finds the first tenant of a caller without listing them, those in the settings first', () => {
    const directory = createQueueDirectory([one, two]);
    directory.setTenants([two], [one, tenant('three', '3')]);
    for (const who of [everywhere, caller(), caller(new Set(['three', 'two'])), caller(new Set(['one']))])
      assert.equal(directory.firstTenantOf(who), directory.tenantsOf(who)[0]);
    assert.equal(directory.firstTenantOf(everywhere)?.tenant.name, 'two');
    assert.equal(directory.firstTenantOf(caller(new Set(['four']))), undefined);
  });

  it('has one object for a queue for as long as nothing of it changes', () => {
    const directory = createQueueDirectory([one, two]);
    const found = () => [
      directory.byTag(tagOf(one)),
      directory.findTenant(everywhere, 'one')?.queues[0],
      directory.queues()[0],
    ];
    const [first] = found();
    assert.ok(first && found().every((queue) => queue === first));
    directory.setTenants([tenant('one', '1')], [tenant('two', '2')]);
    assert.ok(found().every((queue) => queue === first));
    directory.setTenants([tenant('uno', '1')]);
    assert.notEqual(directory.byTag(tagOf(one)), first);
  });

  it('keeps the queues of a tenant that has another name now, under that name', () => {
    const directory = createQueueDirectory([one]);
    directory.setTenants([tenant('uno', '1')]);
    assert.deepEqual(names(directory, everywhere), ['uno']);
    assert.equal(directory.findByTag(caller(new Set(['one'])), tagOf(one)), undefined);
    assert.equal(directory.findByTag(caller(new Set(['uno'])), tagOf(one))?.tenant, 'uno');
  });

  it('leads to nothing of a removed tenant by a name that is another one’s now', () => {
    const directory = createQueueDirectory([one, two]);
    directory.setTenants([tenant('one', '2')]);
    const own = caller(new Set(['one']));
    assert.equal(directory.findByTag(own, tagOf(one)), undefined);
    assert.equal(directory.findByTag(own, tagOf(two))?.tenantId, '2');
  });

  it('gives an operation that was taken out for reading alone', () => {
    const both = tenant('one', '1', 'initiateInvestigation', 'startInvestigation');
    const directory = createQueueDirectory([both]);
    directory.setTenants([one]);
    const [known] = directory.tenantsOf(everywhere);
    assert.ok(known);
    assert.equal(queueFor(known, 'startInvestigation', false), undefined);
    const former = queueFor(known, 'startInvestigation', true);
    assert.ok(former);
    assert.deepEqual(
      [former.tag, directory.isAccepting(former), directory.byTag(former.tag)?.operation],
      [tagOf(both, 1), false, 'startInvestigation'],
    );
    directory.setTenants([both]);
    assert.equal(directory.isAccepting(former), true);
  });
});
