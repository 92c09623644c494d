import assert from 'node:assert/strict';
import { allowedHosts } from '../config/allowed-hosts.ts';
import { createCallbackRule } from './callback-rule.ts';

const hosts = allowedHosts().parse(
  'soar.example, hooks.example:8443, *.corp.example, [2606:4700::1111], Bücher.example',
);
const rule = createCallbackRule({ allowedHosts: hosts, allowHttp: false });

describe('a callback URL', () => {
  for (const url of [
    'https://soar.example/hook',
    'https://soar.example:443/hook?code=abc',
    'https://SOAR.example',
    'https://hooks.example:8443/',
    'https://a.corp.example/',
    'https://a.b.corp.example/',
    'https://[2606:4700::1111]/',
    'https://bücher.example/',
  ]) {
    it(`is accepted for a host and port that are listed: ${url}`, () => assert.equal(rule(url), undefined));
  }

  for (const [url, expected] of [
    ['https://other.example/', /allowed here/],
    ['https://soar.example:8443/', /allowed here/],
    ['https://hooks.example/', /allowed here/],
    ['https://corp.example/', /allowed here/],
    ['https://evilcorp.example/', /allowed here/],
    ['https://soar.example.evil.example/', /allowed here/],
    ['https://soar.example./', /allowed here/],
    ['https://user@soar.example/', /user name/],
    ['https://soar.example:pass@other.example/', /user name/],
    ['https://soar.example/#top', /fragment/],
    ['https://soar.example/#', /fragment/],
    ['http://soar.example/', /https/],
    ['ftp://soar.example/', /absolute https URL/],
    ['//soar.example/', /absolute https URL/],
    ['soar.example', /absolute https URL/],
    ['https://soar.example/\nx', /absolute https URL/],
    ['https:\\\\soar.example\\', /absolute https URL/],
    ['https:soar.example', /absolute https URL/],
    [`https://soar.example/${'a'.repeat(2_048)}`, /2048 characters/],
    ['', /absolute https URL/],
  ] as const) {
    it(`is refused, saying why: ${JSON.stringify(url.slice(0, 40))}`, () =>
      assert.match(rule(url) ?? '', expected));
  }

  describe('where a path is listed with its host', () => {
    const below = createCallbackRule({
      allowedHosts: allowedHosts().parse(
        'hooks.example/services/, one.example/hook, *.corp.example/in/, hooks.example/v2/%C3%BC/',
      ),
      allowHttp: false,
    });

    for (const url of [
      'https://hooks.example/services/',
      'https://hooks.example/services/T1/B1/x?query=/../..',
      'https://hooks.example/services/a.b/..c/d;e',
      'https://hooks.example/services/caf%C3%A9',
      'https://hooks.example/other/../services/T1',
      'https://one.example/hook',
      'https://one.example/hook/more',
      'https://a.corp.example/in/x',
      'https://hooks.example/v2/ü/x',
    ]) {
      it(`is accepted below it: ${url}`, () => assert.equal(below(url), undefined));
    }

    for (const url of [
      'https://hooks.example/',
      'https://hooks.example/services',
      'https://hooks.example/servicesx/',
      'https://hooks.example/SERVICES/x',
      'https://hooks.example/%73ervices/x',
      'https://hooks.example//services/x',
      'https://hooks.example/?/services/',
      'https://hooks.example/services/../admin',
      'https://hooks.example/services/%2e%2e/admin',
      'https://hooks.example/services/.%2E/admin',
      'https://hooks.example/services/..%2fadmin',
      'https://hooks.example/services/..%5cadmin',
      'https://hooks.example/services/x%2f..%2f..%2fadmin',
      'https://hooks.example/services/..;/admin',
      'https://hooks.example/services/%2e%2e;x=1/admin',
      'https://hooks.example/services/%252e%252e/admin',
      'https://hooks.example/services/%252e%252e%252fadmin',
      'https://hooks.example/services/.../admin',
      'https://hooks.example/services/..%20/admin',
      'https://hooks.example/services/..%00/admin',
      'https://hooks.example/services/%c0%ae%c0%ae/admin',
      'https://hooks.example/services/%/x',
      'https://one.example/hookx',
      'https://a.corp.example/out/',
    ]) {
      it(`is refused beside it, however it is spelt: ${url}`, () =>
        assert.match(below(url) ?? '', /allowed here/));
    }

    it('is looked at in time that its length costs', () => {
      const started = performance.now();
      for (let i = 0; i < 1_000; i += 1) below(`https://hooks.example/services/${'%25'.repeat(670)}`);
      assert.ok(performance.now() - started < 2_000);
    });
  });

  it('may be http where that is allowed, on the port that is listed', () => {
    const lax = createCallbackRule({ allowedHosts: hosts, allowHttp: true });
    assert.equal(lax('http://soar.example/'), undefined);
    assert.match(lax('http://soar.example:443/') ?? '', /allowed here/);
  });

  it('is refused where callbacks are not set up', () => {
    assert.match(createCallbackRule(undefined)('https://soar.example/') ?? '', /not set up/);
  });
});
