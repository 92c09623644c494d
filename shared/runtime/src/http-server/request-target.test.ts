import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { isCanonical, pathOfTarget, toOriginForm } from './request-target.ts';

const originFormOf = (url: string) => {
  const request = { url };
  toOriginForm(request);
  return request.url;
};

describe('the target of a request', () => {
  it('is canonical in one spelling of a path, with any query', () => {
    for (const target of [
      '/',
      '/v1',
      '/v1/quota',
      '/a.b/c-d_e~f',
      '/v1?a=b/../c//d',
      '/?',
      '/..a/a..',
      '/.../x',
    ])
      assert.equal(isCanonical(target), true, target);
    for (const target of [
      '',
      '*',
      'v1',
      '//',
      '/v1/',
      '/v1/?x',
      '/v1//quota',
      '/.',
      '/./v1',
      '/v1/..',
      '/v1/../v1',
      '/v1/..?x',
      '/v1%2Fquota',
      '/%761',
      '/v1;x',
      '/v1 ',
      '/v1#x',
      '/v1?x#y',
      '/v\u00e41',
      '/v1\\quota',
      'http://host/v1',
    ]) {
      assert.equal(isCanonical(target), false, target);
    }
  });

  it('in absolute form becomes path and query', () => {
    assert.equal(originFormOf('http://host:8080/v1/quota?a=http://b/c'), '/v1/quota?a=http://b/c');
    assert.equal(originFormOf('HTTPS://user:pw@host/'), '/');
    assert.equal(originFormOf('http://host'), '/');
    assert.equal(originFormOf('http://host?a'), '/?a');
    assert.equal(originFormOf('http://[::1]:1/v1'), '/v1');
    for (const target of ['/v1?a=http://b/', '*', '', 'ftp://host/v1', 'http:///v1', 'host:443'])
      assert.equal(originFormOf(target), target);
  });

  it('in absolute form stays what it is where it leads to an operations route', () => {
    for (const target of ['http://host/metrics', 'http://host/readyz?x', 'HTTPS://host/livez'])
      assert.equal(originFormOf(target), target);
    assert.equal(originFormOf('http://host/metrics/x'), '/metrics/x');
  });

  it('is shown as a path, whatever it is, and without what else it says', () => {
    fc.assert(
      fc.property(fc.oneof(fc.webUrl({ withQueryParameters: true }), fc.string(), fc.webPath()), (target) => {
        assert.match(pathOfTarget(target), /^\/[^?#]*$|^[^/]*$/);
      }),
    );
    assert.equal(pathOfTarget('http://user:secret@host/a/../b?c=d'), '/b');
    assert.equal(pathOfTarget('//host/a'), '//host/a');
    assert.equal(pathOfTarget('/a\u00e4?b'), '/a%C3%A4');
    assert.equal(pathOfTarget('*'), '/');
  });
});
