import assert from 'node:assert/strict';
import { callerKeys } from '@diq/queue/store-keys.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { createPendingSignIns } from './pending-sign-in.ts';
import { createPersonSessions, type Person } from './person-sessions.ts';
import { createSessionStore } from './session-store.ts';

const tenant = { tenantId: '0d2f6a5b-7a4e-4c46-9a55-0f1d3ac0b111', tenants: new Set(['contoso']) };
const application = { clientId: '5e0c0f3e-9a40-4be7-8c11-7a2f7d1c2222', clientSecret: 'the secret' };
const anna: Person = {
  oid: 'a4a0a1c2-1111-4c46-9a55-0f1d3ac0b001',
  displayName: 'Anna Lind',
  roles: ['Investigations.Read'],
};
const callerName = `entra:${application.clientId}/${anna.oid}`;
const hourMs = 3_600_000;

describe('sessions of people who signed in with Entra ID', () => {
  const redis = useEmbeddedRedis();
  beforeEach(() => redis.flush());

  const store = (changes: Partial<typeof application> = {}) =>
    createPersonSessions(redis.client, tenant, { ...application, ...changes });
  const open = async (person = anna, lifetimeMs = hourMs) => (await store().open(person, lifetimeMs)).token;

  /** Which ends sessions. */
  const acrossAll = () => createSessionStore({ redis: redis.client, keys: () => [], persons: store() });

  it('know who it is, with the scopes of the roles, the tenants of the settings, and until when', async () => {
    const { token, endsAtMs } = await store().open(anna, hourMs);
    assert.deepEqual(await store().find(token), {
      caller: {
        name: callerName,
        displayName: 'Anna Lind',
        scopes: new Set(['read']),
        tenants: tenant.tenants,
        entraTenantId: tenant.tenantId,
      },
      endsAtMs,
    });
  });

  it('give no scope for roles that mean nothing here, and never irreversible', async () => {
    const roles = ['Investigations.Admin', 'constructor', 'irreversible', '__proto__'];
    const found = await store().find(await open({ ...anna, roles }));
    assert.deepEqual(found?.caller.scopes, new Set(['submit', 'read', 'admin']));
  });

  it('are over when another secret or application is set', async () => {
    const token = await open();
    assert.equal(await store({ clientSecret: 'another secret' }).find(token), undefined);
    const clientId = '5e0c0f3e-9a40-4be7-8c11-7a2f7d1c3333';
    assert.equal(await store({ clientId }).find(token), undefined);
  });

  it('are not changed by their token: to another person, name or role', async () => {
    const [prefix, described = '', secret] = (await open()).split(':');
    const said = JSON.parse(Buffer.from(described, 'base64url').toString()) as Person;
    const oid = anna.oid.replace('1111', '2222');
    await open({ ...anna, oid });
    for (const change of [{ oid }, { displayName: 'Bert' }, { roles: ['Investigations.Admin'] }]) {
      const changed = Buffer.from(JSON.stringify({ ...said, ...change })).toString('base64url');
      assert.equal(await store().find(`${prefix}:${changed}:${secret}`), undefined);
    }
  });

  it('leave nothing in Redis that reveals a token or a name, nor for longer than they last', async () => {
    const token = await open();
    const keys = await redis.client.keys('*');
    assert.deepEqual(keys, [callerKeys(callerName).sessions]);
    assert.ok((await redis.client.pttl(keys[0]!)) > 0);
    const stored = JSON.stringify(await redis.client.zrange(keys[0]!, 0, '-1'));
    for (const secret of [...token.split(':').slice(1), 'Anna']) assert.equal(stored.includes(secret), false);
  });

  it('end when they are closed, one at a time, and with their time', async () => {
    const [first, second] = [await open(), await open()];
    await acrossAll().close(first);
    assert.equal(await store().find(first), undefined);
    assert.ok(await store().find(second));
    const { token, endsAtMs } = await store().open(anna, 10);
    await redis.client.persist(callerKeys(callerName).sessions);
    while (Date.now() < endsAtMs) await new Promise(setImmediate);
    assert.equal(await store().find(token), undefined);
  });

  it('are at most 100 of one person: the oldest goes', async () => {
    const tokens: string[] = [];
    for (let i = 0; i < 101; i += 1) tokens.push(await open(anna, hourMs + i));
    assert.equal(await store().find(tokens[0]!), undefined);
    assert.ok(await store().find(tokens[1]!));
  });

  it('end through the next sign-in however long their token is', async () => {
    const sessions = acrossAll();
    const { token } = await sessions.openForPerson({ ...anna, displayName: 'A'.repeat(500) });
    assert.ok(token.length > 700 && (await sessions.find(token)));
    const pendingSignIns = createPendingSignIns('the secret');
    const [state, nonce, verifier] = ['s'.repeat(43), 'n'.repeat(43), 'v'.repeat(43)];
    const replaced = sessions.placesOf([token]);
    const pending = await pendingSignIns.open(
      await pendingSignIns.seal({ state, nonce, verifier, replaced }),
    );
    await sessions.endPlaces(pending?.replaced ?? []);
    assert.equal(await sessions.find(token), undefined);
  });

  const described = (content: unknown) => Buffer.from(JSON.stringify(content)).toString('base64url');
  for (const token of [
    'person:',
    `person:e30:${'A'.repeat(43)}`,
    `person:${described(anna)}:${'A'.repeat(43)}`,
    `person:${described({ ...anna, oid: '*' })}:${'A'.repeat(43)}`,
    `person:bm8ganNvbg:${'A'.repeat(43)}`,
    `person:${'A'.repeat(5_000)}:${'A'.repeat(43)}`,
  ]) {
    it(`are not found by '${token.slice(0, 40)}'`, async () => {
      await open();
      assert.equal(await store().find(token), undefined);
      store().locate(token);
    });
  }
});
