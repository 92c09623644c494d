import assert from 'node:assert/strict';
import { z } from 'zod';
import { countFaults, fieldFaults } from './field-fault.ts';

const shape = z.strictObject({ requests: z.array(z.strictObject({ comment: z.string() })).optional() });

function faultsOf(
  schema: z.ZodType,
  input: unknown,
  options: { reportInput?: boolean } = { reportInput: true },
) {
  const { error } = schema.safeParse(input, options);
  assert.ok(error, 'the input is refused');
  return fieldFaults(error);
}

describe('fieldFaults', () => {
  it('writes the path as a caller would', () => {
    assert.deepEqual(faultsOf(shape, { requests: [{ comment: 'x' }, { comment: 5 }] }), [
      { path: 'requests[1].comment', message: 'Invalid input: expected string, received number' },
    ]);
  });

  it('names each unknown field by its own path', () => {
    assert.deepEqual(faultsOf(shape, { requests: [{ comment: 'x', a: 1, b: 2 }] }), [
      { path: 'requests[0].a', message: 'is not a known field' },
      { path: 'requests[0].b', message: 'is not a known field' },
    ]);
  });

  it('says that a missing field is required', () => {
    assert.deepEqual(faultsOf(shape, { requests: [{}] }), [
      { path: 'requests[0].comment', message: 'is required' },
    ]);
  });

  it('calls no field missing that is there, even when the parser kept the input to itself', () => {
    const faults = faultsOf(shape, { requests: 'x' }, {});
    assert.deepEqual(faults, [
      { path: 'requests', message: 'Invalid input: expected array, received string' },
    ]);
  });

  it('gives at most 20 faults, of fields with many and of many fields', () => {
    const unknown = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`k${i}`, 1]));
    assert.equal(faultsOf(shape, unknown).length, 20);
    assert.equal(faultsOf(shape, { requests: Array.from({ length: 500 }, () => ({})) }).length, 20);
  });

  it('counts all faults, those that are not named too', () => {
    const unknown = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`k${i}`, 1]));
    const { error } = shape.safeParse({ ...unknown, requests: 'x' });
    assert.equal(error && countFaults(error), 501);
  });

  it("clips a caller's own names in the path, wherever they stand", () => {
    const long = 'k'.repeat(100_000);
    const clipped = `${'k'.repeat(64)}…`;
    const names = z.record(z.string().max(64, 'must be short'), z.string());
    assert.deepEqual(faultsOf(shape, { [long]: 1 }), [{ path: clipped, message: 'is not a known field' }]);
    assert.deepEqual(faultsOf(names, { [long]: 'v' }), [{ path: clipped, message: 'must be short' }]);
    assert.deepEqual(faultsOf(z.record(z.string(), shape), { [long]: { x: 1 } }), [
      { path: `${clipped}.x`, message: 'is not a known field' },
    ]);
  });

  it('says why a name is refused', () => {
    const names = z.record(z.string().min(1, 'must have a name'), z.string());
    assert.deepEqual(faultsOf(z.object({ correlation: names }), { correlation: { '': 'v' } }), [
      { path: 'correlation.', message: 'must have a name' },
    ]);
  });
});
