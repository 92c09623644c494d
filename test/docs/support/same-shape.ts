import assert from 'node:assert/strict';

/** Fields whose values are words of the API, and not merely an example. */
const words = new Set([
  'status',
  'code',
  'type',
  'title',
  'detail',
  'action',
  'message',
  'path',
  'priority',
  'by',
  'reason',
]);

/**
 * Asserts that JSON is what a page shows: the same fields, kinds of values and number of entries; numbers, ids and times
 * may be others, what is said in words may not.
 */
export function assertSameShape(actual: unknown, shown: unknown, path = ''): void {
  assert.equal(kindOf(actual), kindOf(shown), `${path} is ${JSON.stringify(actual)}`);
  if (Array.isArray(shown) && Array.isArray(actual)) {
    assert.equal(actual.length, shown.length, `${path} has ${JSON.stringify(actual)}`);
    for (const [index, entry] of shown.entries()) assertSameShape(actual[index], entry, `${path}[${index}]`);
  } else if (isObject(shown) && isObject(actual)) {
    assert.deepEqual(Object.keys(actual).toSorted(), Object.keys(shown).toSorted(), path);
    for (const [key, value] of Object.entries(shown)) {
      assertSameShape(actual[key], value, `${path}.${key}`);
      if (words.has(key)) assert.deepEqual(actual[key], value, `${path}.${key}`);
    }
  }
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return kindOf(value) === 'object';
}
