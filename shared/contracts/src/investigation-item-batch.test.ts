import assert from 'node:assert/strict';
import { fieldFaults, type FieldFault } from './field-fault.ts';
import { investigationBatch, maxBatchItems } from './investigation-item.ts';

const itemsOf = (length: number) => ({ requests: Array.from({ length }, () => ({})) });

describe('investigationBatch', () => {
  it('counts its items without looking into them', () => {
    const batch = { requests: [1, 'x', null, { machineId: 'no' }] };
    assert.deepEqual(investigationBatch.parse(batch), batch);
  });

  it('takes 10,000 items', () => {
    assert.equal(maxBatchItems, 10_000);
    assert.equal(investigationBatch.parse(itemsOf(10_000)).requests.length, 10_000);
  });

  const refusals: [what: string, body: unknown, FieldFault][] = [
    ['0 items', itemsOf(0), { path: 'requests', message: 'must have at least 1 item' }],
    ['10,001 items', itemsOf(10_001), { path: 'requests', message: 'must have at most 10000 items' }],
    ['no items', {}, { path: 'requests', message: 'is required' }],
    ['items that are no array', { requests: {} }, { path: 'requests', message: 'must be an array of items' }],
    ['a bare array', [], { path: '', message: 'Invalid input: expected object, received array' }],
    [
      'a misspelt field',
      { ...itemsOf(1), default: {} },
      { path: 'default', message: 'is not a known field' },
    ],
    [
      'a machine id for all items',
      { ...itemsOf(1), defaults: { machineId: 'a'.repeat(40) } },
      { path: 'defaults.machineId', message: 'is not a known field' },
    ],
    [
      'a bad default',
      { ...itemsOf(1), defaults: { comment: ' ' } },
      { path: 'defaults.comment', message: 'must not be empty' },
    ],
    [
      'defaults that are no object',
      { ...itemsOf(1), defaults: 'low' },
      { path: 'defaults', message: 'Invalid input: expected object, received string' },
    ],
  ];
  for (const [what, body, fault] of refusals) {
    it(`refuses ${what}, naming the field and the reason`, () => {
      const parsed = investigationBatch.safeParse(body, { reportInput: true });
      assert.deepEqual(parsed.error && fieldFaults(parsed.error), [fault]);
    });
  }

  it('fills in nothing: a default that was not given stays absent', () => {
    const batch = investigationBatch.parse({ ...itemsOf(1), defaults: { source: 'soar' } });
    assert.deepEqual(batch.defaults, { source: 'soar' });
  });
});
