import assert from 'node:assert/strict';
import { allowedHosts } from './allowed-hosts.ts';
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

  it('may be http where that is allowed, on the port that is listed', () => {
    const lax = createCallbackRule({ allowedHosts: hosts, allowHttp: true });
    assert.equal(lax('http://soar.example/'), undefined);
    assert.match(lax('http://soar.example:443/') ?? '', /allowed here/);
  });

  it('is refused where callbacks are not set up', () => {
    assert.match(createCallbackRule(undefined)('https://soar.example/') ?? '', /not set up/);
  });
});
