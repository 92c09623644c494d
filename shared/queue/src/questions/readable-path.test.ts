import assert from 'node:assert/strict';
import { isReadable, readablePath } from './readable-path.ts';

const id = 'fb9ab6be3965095a09c057be7c90f0a2fb9ab6be';

describe('what is read of Defender for callers', () => {
  const made: readonly [path: string, query: Record<string, string>, as: string][] = [
    [`/API/v1.0/Machines/${id}`, {}, `/api/machines/${id}`],
    ['/api/machines', {}, '/api/machines?$top=100'],
    [
      '/api/machines',
      { $filter: "computerDnsName eq 'wks-1.x'", $top: '5' },
      '/api/machines?$filter=computerDnsName+eq+%27wks-1.x%27&$top=5',
    ],
    [
      "/api/machines/FindByIp(ip='10.0.0.1',timestamp=2026-11-28T00:00:00Z)",
      {},
      "/api/machines/findbyip(ip='10.0.0.1',timestamp=2026-11-28T00:00:00Z)",
    ],
    ['/api/investigations/da637_-1', {}, '/api/investigations/da637_-1'],
    ['/api/machineactions', { $count: 'true', $top: '1' }, '/api/machineactions?$count=true&$top=1'],
  ];
  for (const [path, query, as] of made) {
    it(`has one spelling: ${as}`, () => {
      assert.equal(readablePath(path, query), as);
      assert.ok(isReadable(as));
    });
  }

  const refused: readonly [path: string, query: Record<string, unknown>][] = [
    ['/api/alerts', {}],
    ['/api/machines/a/alerts', {}],
    ['/api/machines/../alerts', {}],
    ['/api/machines/a%2fb', {}],
    ['/other/api/machines', {}],
    ['', {}],
    ['/api/machines', { $top: '101' }],
    ['/api/machines', { $expand: 'x' }],
    ['/api/machines', { $filter: 'a eq "x"\n' }],
    ['/api/machines', { $filter: ['a', 'b'] }],
    ["/api/machines/findbyip(ip='x y',timestamp=1)", {}],
  ];
  for (const [path, query] of refused)
    it(`is not ${path} ${JSON.stringify(query)}`, () => assert.equal(readablePath(path, query), undefined));

  it('is nothing that another hand put into Redis', () => {
    for (const path of ['/api/alerts', '/api/machines', '/API/machines/x', '/api/machines/x?$top=9&a=b'])
      assert.ok(!isReadable(path), path);
  });
});
