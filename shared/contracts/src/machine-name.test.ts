import assert from 'node:assert/strict';
import { itemRulesOf, parseItem } from './investigation-item.ts';
import { initiateInvestigation } from './operations/initiate-investigation.ts';
import { isolate } from './operations/isolate.ts';

const machineId = '1e5bc9d7e413ddd7902c2932e418702b84d0cc07';
const aadDeviceId = '5f0c6d8e-1111-4000-8000-00000000000a';
const parse = (named: object, rules = itemRulesOf(initiateInvestigation)) =>
  parseItem({ comment: 'why', ...named }, Date.now(), rules);
const faultsOf = (named: object) => {
  const parsed = parse(named);
  return parsed.ok ? [] : parsed.faults.map(({ path, message }) => `${path} ${message}`);
};

describe('how an item names its machine', () => {
  for (const name of ['PC-1', 'pc_1.contoso.example', '7-zip-host', 'a'.repeat(63), '10.pc'])
    it(`may be the DNS name ${name}, kept in lower case`, () => {
      const parsed = parse({ machineName: name });
      assert.equal(parsed.ok && parsed.item.machineName, name.toLowerCase());
    });

  for (const name of [
    '',
    ' pc',
    'pc 1',
    '10.0.0.1',
    '12',
    'pc..1',
    '.pc',
    'pc.',
    '-pc',
    "o'brien",
    'a'.repeat(64),
    'pc=1',
    'é',
  ])
    it(`is no DNS name: "${name}"`, () => {
      assert.match(faultsOf({ machineName: name }).join(), /^machineName must be a DNS name/);
    });

  it('is at most 253 characters long, however it is made', () => {
    const label = 'a'.repeat(62);
    assert.deepEqual(faultsOf({ machineName: [label, label, label, label].join('.') }), []);
    assert.match(faultsOf({ machineName: `${label}.`.repeat(5) + 'a' }).join(), /at most 253/);
  });

  it('may be the id of the device in Entra ID, in whatever case', () => {
    const parsed = parse({ aadDeviceId: aadDeviceId.toUpperCase() });
    assert.equal(parsed.ok && parsed.item.aadDeviceId, aadDeviceId);
    assert.match(faultsOf({ aadDeviceId: 'pc-1' }).join(), /^aadDeviceId must be a GUID/);
  });

  it('is named exactly once', () => {
    assert.deepEqual(faultsOf({}), ['machineId is required']);
    assert.deepEqual(faultsOf({ machineId, machineName: 'pc-1' }), [
      'machineName must not stand beside machineId: a machine is named once',
    ]);
    assert.equal(faultsOf({ machineId, machineName: 'pc-1', aadDeviceId }).length, 2);
  });

  it('is an id where calls take turns on a machine, from their acceptance on', () => {
    const rules = itemRulesOf(isolate);
    const parsed = parse({ machineName: 'pc-1', parameters: { isolationType: 'Full' } }, rules);
    assert.match(parsed.ok ? '' : (parsed.faults[0]?.message ?? ''), /use machineId/);
    assert.ok(parse({ machineId, parameters: { isolationType: 'Full' } }, rules).ok);
  });
});
