import assert from 'node:assert/strict';
import { readPage, type PageReading } from './odata-page.ts';

const rows = ['a', 'b', 'a', 'b', 'a', 'b', 'a'].map((state, index) => ({ index, state }));
const rules = { fields: { state: 'text' } as const, pageSize: 2, address: 'https://host/api/rows' };
const read = (query: Record<string, unknown>, pageSize = rules.pageSize) =>
  readPage(rows, query, { ...rules, pageSize });

function indexes(page: PageReading): unknown[] {
  assert.equal(page.kind, 'page');
  return page.members.value.map(({ index }) => index);
}

function follow(first: PageReading): unknown[] {
  const seen = indexes(first);
  let page = first;
  while (page.kind === 'page' && page.members['@odata.nextLink'] !== undefined) {
    page = read(Object.fromEntries(new URL(page.members['@odata.nextLink']).searchParams));
    seen.push(...indexes(page));
  }
  return seen;
}

describe('a page of a list', () => {
  it('leads through all rows once, in order, when the next links are followed', () => {
    assert.deepEqual(follow(read({})), [0, 1, 2, 3, 4, 5, 6]);
  });

  it('keeps filter, skip and top over the pages', () => {
    assert.deepEqual(follow(read({ $filter: "state eq 'a'", $skip: '1', $top: '3' })), [2, 4, 6]);
  });

  it('has no next link when the asker got the $top it asked for', () => {
    const page = read({ $top: '2' });
    assert.deepEqual(indexes(page), [0, 1]);
    assert.equal(page.kind === 'page' && page.members['@odata.nextLink'], undefined);
  });

  it('counts what the filter leaves, whatever the page, and only when asked', () => {
    const counted = read({ $filter: "state eq 'a'", $count: 'true', $top: '1' });
    assert.equal(counted.kind === 'page' && counted.members['@odata.count'], 4);
    const uncounted = read({});
    assert.equal(uncounted.kind === 'page' && '@odata.count' in uncounted.members, false);
  });

  const faulty = [
    { $top: '0' },
    { $top: '10001' },
    { $top: '1e3' },
    { $skip: '-1' },
    { $count: 'yes' },
    { $orderby: 'index' },
    { $top: ['1', '2'] },
    { $filter: 'nonsense' },
  ];
  for (const query of faulty) {
    it(`calls the query invalid: ${JSON.stringify(query)}`, () => {
      assert.equal(read(query).kind, 'invalid');
    });
  }
});
