import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { callerKeys } from '@diq/queue/store-keys.ts';
import type { ApiKey, Scope } from '../config/callers.ts';
import { createSessionStore } from './session-store.ts';

function apiKey(name: string, secret: string, scopes: Scope[] = ['read']): ApiKey {
  return { name, scopes: new Set(scopes), sha256: createHash('sha256').update(secret).digest() };
}

describe('sessions', () => {
  const redis = useEmbeddedRedis();
  let keys: ApiKey[];

  beforeEach(async () => {
    await redis.flush();
    keys = [apiKey('anna', 'secret of anna'), apiKey('bert', 'secret of bert', ['submit', 'read', 'admin'])];
  });

  const store = (lifetimeMs?: number) =>
    createSessionStore({
      redis: redis.client,
      keys: () => keys,
      ...(lifetimeMs === undefined ? {} : { lifetimesMs: { acting: lifetimeMs, looking: lifetimeMs } }),
    });

  async function open(credential: string, sessions = store()): Promise<string> {
    const opened = await sessions.open(credential);
    assert.ok(opened);
    return opened.token;
  }

  it('are opened by an API key, last 8 hours, and are known to every intake', async () => {
    const opened = await store().open('secret of anna');
    assert.ok(opened && Math.abs(opened.endsAtMs - Date.now() - 8 * 3_600_000) < 5_000);
    const found = await store().find(opened.token);
    assert.deepEqual(found, {
      caller: { name: 'anna', scopes: new Set(['read']) },
      endsAtMs: opened.endsAtMs,
    });
  });

  it('have the scopes of their key, and never irreversible', async () => {
    keys = [apiKey('bert', 'secret of bert', ['submit', 'respond', 'irreversible', 'read', 'admin'])];
    const found = await store().find(await open('secret of bert'));
    assert.deepEqual(found?.caller.scopes, new Set(['submit', 'respond', 'read', 'admin']));
  });

  it('that only look have read alone, last 30 days, and are over with their key', async () => {
    const opened = await store().open('secret of bert', 'looking');
    assert.ok(opened && Math.abs(opened.endsAtMs - Date.now() - 30 * 24 * 3_600_000) < 5_000);
    assert.deepEqual((await store().find(opened.token))?.caller.scopes, new Set(['read']));
    keys = [];
    assert.equal(await store().find(opened.token), undefined);
  });

  it('that only look are not made to act by their token, not even with what Redis holds', async () => {
    const opened = await store().open('secret of bert', 'looking');
    assert.ok(opened);
    const { sessions, lookingSessions } = callerKeys('bert');
    await redis.client.rename(lookingSessions, sessions);
    const changed = opened.token.replace('~looking~', '~acting~');
    for (const token of [changed, opened.token.replace('~looking~', '~')])
      assert.equal(await store().find(token), undefined);
  });

  it('that only look do not crowd out those that act', async () => {
    const token = await open('secret of anna');
    for (let i = 0; i < 101; i += 1) await store().open('secret of anna', 'looking');
    assert.ok(await store().find(token));
  });

  it('are opened by nothing else', async () => {
    assert.equal(await store().open('an unknown secret'), undefined);
  });

  it('are over with the key that opened them, also where another key takes its name', async () => {
    const token = await open('secret of anna');
    keys = [apiKey('anna', 'new secret of anna')];
    assert.equal(await store().find(token), undefined);
    keys = [];
    assert.equal(await store().find(token), undefined);
  });

  it('go on while their key is being replaced, and are over once it is gone', async () => {
    const token = await open('secret of anna');
    const [old, fresh] = [apiKey('anna', 'secret of anna'), apiKey('anna', 'new secret of anna')];
    keys = [fresh, old];
    const other = await open('new secret of anna');
    assert.ok((await store().find(token)) && (await store().find(other)));
    keys = [fresh];
    assert.equal(await store().find(token), undefined);
    assert.ok(await store().find(other));
  });

  it('are worth no more than the key is at the moment', async () => {
    const token = await open('secret of anna');
    keys = [apiKey('anna', 'secret of anna', ['submit'])];
    assert.deepEqual((await store().find(token))?.caller.scopes, new Set());
  });

  it('end when they are closed, and one of them at a time', async () => {
    const [first, second] = [await open('secret of anna'), await open('secret of anna')];
    await store().close(first);
    assert.equal(await store().find(first), undefined);
    assert.ok(await store().find(second));
  });

  it('end together, of one browser eight at most, whatever else it brings', async () => {
    const tokens = await Promise.all(Array.from({ length: 9 }, () => open('secret of anna')));
    await store().close(...tokens);
    const found = await Promise.all(tokens.map((token) => store().find(token)));
    assert.deepEqual(found.map(Boolean), [...Array.from({ length: 8 }, () => false), true]);
  });

  it('end with their time', async () => {
    const opened = await store(20).open('secret of anna');
    assert.ok(opened);
    // Redis forgets it a moment later: what it says of the time must be enough.
    await redis.client.persist(callerKeys('anna').sessions);
    while (Date.now() < opened.endsAtMs) await new Promise(setImmediate);
    assert.equal(await store().find(opened.token), undefined);
  });

  it('leave nothing behind in Redis that reveals a token or a key, nor for longer than they last', async () => {
    const token = await open('secret of anna');
    const [name = ''] = await redis.client.keys('*');
    assert.ok((await redis.client.pttl(name)) > 0);
    const stored = JSON.stringify([name, await redis.client.zrange(name, 0, '-1')]);
    const secrets = [
      token.split('~')[2] ?? '',
      ...['hex', 'base64', 'base64url'].map((form) => keys[0]!.sha256.toString(form as 'hex')),
    ];
    for (const secret of secrets) assert.equal(stored.includes(secret), false);
  });

  it('are at most 100 for one key: the oldest goes', async () => {
    const tokens: string[] = [];
    for (let i = 0; i < 101; i += 1) tokens.push(await open('secret of anna', store(60_000 + i)));
    assert.equal(await store().find(tokens[0]!), undefined);
    assert.ok(await store().find(tokens[1]!));
  });

  for (const token of [
    '',
    'anna',
    'anna~acting~',
    `anna~${'A'.repeat(43)}`,
    `anna~acting~${'A'.repeat(43)}`,
    `anna~looking~${'A'.repeat(43)}`,
    `*~acting~${'A'.repeat(43)}`,
    `anna~acting~${'A'.repeat(5_000)}`,
  ]) {
    it(`are not found by '${token.slice(0, 50)}'`, async () => {
      await open('secret of anna');
      assert.equal(await store().find(token), undefined);
    });
  }
});
