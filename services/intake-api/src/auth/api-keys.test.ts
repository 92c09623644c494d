import assert from 'node:assert/strict';
import { createKeyRing } from './api-keys.ts';
import { apiKeys } from '../config/callers.ts';
import { sha256 } from '../test-support/credentials.ts';

function faultsOf(text: string): string[] {
  return (
    apiKeys()
      .safeParse(text)
      .error?.issues.map(({ message }) => message) ?? []
  );
}

describe('API keys', () => {
  const keyRing = createKeyRing(
    apiKeys().parse(
      ['first:submit', 'middle:read', 'last:admin']
        .map((entry) => `${entry}:${sha256(`key of ${entry}`)}`)
        .join(),
    ),
  );

  it('are distinguished wherever they stand in the list', () => {
    assert.equal(keyRing('key of first:submit')?.name, 'first');
    assert.equal(keyRing('key of middle:read')?.name, 'middle');
    assert.equal(keyRing('key of last:admin')?.name, 'last');
  });

  it('let no caller in that presents anything else', () => {
    for (const credential of [
      '',
      'key of first',
      'KEY OF FIRST:SUBMIT',
      sha256('key of first:submit'),
      'first',
    ]) {
      assert.equal(keyRing(credential), undefined);
    }
    assert.equal(createKeyRing([])('key of first:submit'), undefined);
  });

  it('may do what their scopes say, and with admin everything but what changes machines', () => {
    assert.deepEqual([...(keyRing('key of first:submit')?.scopes ?? [])], ['submit']);
    assert.deepEqual([...(keyRing('key of last:admin')?.scopes ?? [])], ['submit', 'read', 'admin']);
    const [both] = apiKeys().parse(`x:submit+read:${sha256('x')}`);
    assert.deepEqual([...(both?.scopes ?? [])], ['submit', 'read']);
  });

  it('of one name are two while one replaces the other, and both are the same caller', () => {
    const ring = createKeyRing(apiKeys().parse(`soar:submit:${sha256('new')}+${sha256('old')}`));
    for (const key of ['new', 'old']) {
      assert.equal(ring(key)?.name, 'soar');
      assert.deepEqual([...(ring(key)?.scopes ?? [])], ['submit']);
    }
    const [one, two] = [sha256('new'), sha256('old')];
    assert.match(faultsOf(`soar:submit:${one}+${one}`).join(), /^entry 1 \(soar\) has the same key twice/);
    assert.match(faultsOf(`soar:submit:${one}+${two}+${sha256('x')}`).join(), /unusable hash .*or two/);
    assert.match(faultsOf(`soar:submit:${one}+`).join(), /unusable hash/);
    assert.match(
      faultsOf(`soar:submit:${one}+${two},x:read:${two}`).join(),
      /entry 2 \(x\) has the same key as/,
    );
  });

  it('cannot have the name of those that need none: what they asked for would be its own', () => {
    assert.match(
      faultsOf(`anybody:read:${sha256('x')}`).join(),
      /^entry 1 \(anybody\) has the name that all/,
    );
  });

  it('of more than 512 characters are refused unread', () => {
    const long = 'k'.repeat(513);
    const [just, tooLong] = [long.slice(1), long].map((key) =>
      createKeyRing(apiKeys().parse(`x:read:${sha256(key)}`))(key),
    );
    assert.equal(just?.name, 'x');
    assert.equal(tooLong, undefined);
  });

  it('have each fault named by the number of its entry, and its name where that is no secret', () => {
    const hash = sha256('x');
    assert.deepEqual(
      faultsOf(`ok:read:${hash},xsoar:write:${hash.slice(1)},no name:read:${sha256('y')},lonely`),
      [
        'entry 2 (xsoar) has an unknown scope (expected submit, respond, irreversible, read, admin, joined by +)',
        "entry 2 (xsoar) has an unusable hash (expected the key's SHA-256 as 64 hexadecimal characters, or two joined by +)",
        "entry 3 has an unusable name (expected up to 64 letters, digits, '.', '_' or '-')",
        'entry 4 has 1 of 3 or 4 parts (expected name:scopes:sha256hex or name:scopes:sha256hex:tenants)',
      ],
    );
  });

  it('have their faults reported without a hash or key, wherever it was put', () => {
    const [hash, key] = [sha256('x'), 'Zk3vRk1hYXJtZWxpbmdzLXNlY3JldA'];
    const text = [
      `${hash}:read:name`,
      `name:${hash}:read`,
      key,
      `${key}:read`,
      `name:read:${hash}:more`,
    ].join();
    const faults = faultsOf(text);
    assert.ok(faults.length >= 5);
    for (const fault of faults) assert.ok(!fault.includes(hash) && !fault.includes(key), fault);
  });

  it('must differ in name and key', () => {
    assert.deepEqual(faultsOf(`a:read:${sha256('x')},a:read:${sha256('y')},b:read:${sha256('y')}`), [
      'entry 2 (a) has the name of entry 1 (a) (expected a name of its own)',
      'entry 3 (b) has the same key as entry 2 (a) (expected a key of its own)',
    ]);
    assert.deepEqual(faultsOf(' # none\n'), ['holds no key (expected at least one)']);
  });
});
