import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { definitions } from '../routes/index.ts';
import { writePosition } from './cursor.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { item } from '../test-support/items.ts';

const withCursor = definitions.filter(({ query }) => query !== undefined && 'cursor' in query.shape);

describe('a cursor', () => {
  const intake = useIntake(useEmbeddedRedis());
  let batch = '';
  before('post a batch', async () => {
    batch = (await intake.post('/v1/batches', { requests: [item(1), item(2)] }).expect(202)).body
      .id as string;
  });

  it('is taken by the routes with pages', () => {
    assert.deepEqual(withCursor.map(({ path }) => path).toSorted(), [
      '/v1/audit',
      '/v1/batches',
      '/v1/batches/:id/items',
      '/v1/investigations',
      '/v1/queues',
      '/v1/tenants',
    ]);
  });

  const digits = fc
    .integer({ min: 1, max: 24 })
    .chain((length) => fc.stringMatching(new RegExp(`^\\d{${length}}$`)));
  const position = fc.oneof(
    digits,
    fc.tuple(digits, digits).map(([one, other]) => `${one}-${other}`),
    fc.constantFrom('0-0', '-1', '-2', '+', '-', '$', '*', '18446744073709551615-18446744073709551615'),
    fc.uuid(),
    fc.uuid().map((id) => id.toUpperCase()),
    fc.string({ unit: 'binary' }),
  );
  const cursor = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.base64String(),
    position.map(writePosition),
    position.map((text) => Buffer.from(`offset ${text}`).toString('base64url')),
    fc.integer().map((place) => writePosition(String(place))),
  );
  for (const path of [
    '/v1/audit',
    '/v1/batches',
    '/v1/batches?source=edr',
    '/v1/batches/:id/items',
    '/v1/investigations',
    '/v1/investigations?source=edr',
    '/v1/investigations?batchId=:id',
  ])
    it(`of any form is answered by ${path} with a page, or with 400 that names it`, async () => {
      await fc.assert(
        fc.asyncProperty(cursor, async (text) => {
          const url = path.replace(':id', batch);
          const asked = `${url}${url.includes('?') ? '&' : '?'}cursor=${encodeURIComponent(text.toWellFormed())}`;
          const answer = await intake.as('operator', 'get', asked);
          assert.ok(answer.status === 200 || answer.status === 400, `${answer.status} ${answer.text}`);
          if (answer.status === 400) assert.equal(answer.body.errors[0].path, 'cursor');
        }),
        { numRuns: 150 },
      );
    });
});
