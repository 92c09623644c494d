import assert from 'node:assert/strict';
import { useIntake } from '@diq/intake-api/test-support/intake-under-test.ts';
import { redisAway } from '@diq/intake-api/test-support/items.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { entraVisits, type Answer } from './support/entra-visits.ts';
import { useEntra } from './support/use-entra.ts';

describe('signing in to the status page with Entra ID, where it does not work', () => {
  const entra = useEntra();
  const intake = useIntake(useEmbeddedRedis(), entra.env, { entra: entra.trust });
  const cutOff = useIntake(redisAway, entra.envOfAnother(), { entra: entra.trust });
  const fresh = useIntake(useEmbeddedRedis(), entra.envOfAnother(), { entra: entra.trust });
  const { visit, begin, back, signInAs } = entraVisits(entra, intake);

  const reasons: [string, string, () => Promise<Answer>][] = [
    ['a person who gives up', 'cancelled', () => signInAs('cancel')],
    ['a person without a role', 'no_role', () => signInAs('dora')],
    ['a person whose role does not let look', 'no_role', () => signInAs('carl')],
    [
      'a browser that has begun nothing',
      'expired',
      async () => visit(back(await entra.goTo((await begin()).location, 'anna'))),
    ],
    [
      'a browser with a cookie of its own making',
      'expired',
      () => visit('/session/entra/callback?code=c&state=s', { 'diq-sign-in': 'e30..a.b.c' }),
    ],
    [
      'an answer to what another browser began',
      'wrong_state',
      async () => visit(back(await entra.goTo((await begin()).location, 'anna')), (await begin()).cookies),
    ],
    [
      'an answer without anything',
      'wrong_state',
      async () => visit('/session/entra/callback', (await begin()).cookies),
    ],
    [
      'a refusal that belongs to nothing that was begun',
      'wrong_state',
      async () => visit('/session/entra/callback?error=access_denied&state=x', (await begin()).cookies),
    ],
    [
      'a code that was used',
      'refused',
      async () => {
        const { location, cookies } = await begin();
        const returned = back(await entra.goTo(location, 'anna'));
        assert.equal((await visit(returned, cookies)).location, '/');
        return visit(returned, cookies);
      },
    ],
    [
      'a code of another sign-in (PKCE)',
      'refused',
      async () => {
        const stolen = (await entra.goTo((await begin()).location, 'anna')).searchParams.get('code') ?? '';
        const { location, cookies } = await begin();
        const returned = await entra.goTo(location, 'bert');
        returned.searchParams.set('code', stolen);
        return visit(back(returned), cookies);
      },
    ],
    [
      'a consent that is missing',
      'consent_missing',
      async () => {
        const { location, cookies } = await begin();
        const state = new URL(location).searchParams.get('state');
        return visit(`/session/entra/callback?error=consent_required&state=${state}`, cookies);
      },
    ],
  ];
  for (const [what, code, act] of reasons) {
    it(`gives no session for ${what}, and says so: ${code}`, async () => {
      const { location, cookies } = await act();
      assert.deepEqual([location, cookies], [`/?sign-in-error=${code}`, {}]);
    });
  }

  for (const flaw of ['signature', 'issuer', 'audience', 'tenant', 'nonce', 'expired']) {
    it(`gives no session for an ID token that is wrong: ${flaw}`, async () => {
      await entra.setUp({ flaw });
      const { location, cookies } = await signInAs('anna');
      await entra.setUp();
      assert.deepEqual([location, cookies], ['/?sign-in-error=refused', {}]);
    });
  }

  it('says when Entra ID does not take the application, with its number in the log', async () => {
    await entra.setUp({ clientSecret: 'another secret' });
    assert.equal((await signInAs('anna')).location, '/?sign-in-error=misconfigured');
    await entra.setUp();
    const line = intake.log.findLast(({ reason }) => reason === 'misconfigured');
    assert.equal(line?.['detail'], 'invalid_client AADSTS7000215');
  });

  const faults: [string, object][] = [
    ['fails', { kind: 'status', status: 503 }],
    ['breaks the connection', { kind: 'reset', when: 'before' }],
    ['answers with something else', { kind: 'broken-body', form: 'not-json' }],
    ['leads elsewhere', { kind: 'status', status: 302, headers: { Location: 'https://evil.example/' } }],
  ];
  for (const [what, action] of faults) {
    it(`says that Entra ID is away where it ${what}`, async () => {
      await entra.control('/faults', { target: 'token', action });
      assert.equal((await signInAs('anna')).location, '/?sign-in-error=unavailable');
    });
  }

  it('says when no session can be kept, since Redis is away', async () => {
    const begun = await visit('/session/entra', {}, {}, cutOff);
    const returned = await entra.goTo(begun.location, 'anna');
    const { location, cookies } = await visit(back(returned), begun.cookies, {}, cutOff);
    assert.deepEqual([location, cookies], ['/?sign-in-error=store_unavailable', {}]);
  });

  it('goes on after an answer that does not belong to it', async () => {
    const { location, cookies } = await begin();
    const wrong = await visit('/session/entra/callback?code=c&state=another', cookies);
    assert.deepEqual([wrong.location, wrong.set], ['/?sign-in-error=wrong_state', []]);
    assert.equal((await visit(back(await entra.goTo(location, 'anna')), cookies)).location, '/');
  });

  it('asks Entra ID about no more than 30 refused answers a minute from one address, also about the same one', async () => {
    const outcomes = new Map<string, number>();
    const { location, cookies } = await begin();
    const state = new URL(location).searchParams.get('state');
    for (let i = 0; i < 32; i += 1) {
      const refused = await visit(`/session/entra/callback?code=wrong&state=${state}`, cookies);
      outcomes.set(refused.location, (outcomes.get(refused.location) ?? 0) + 1);
    }
    assert.deepEqual([...outcomes.keys()], ['/?sign-in-error=refused', '/?sign-in-error=too_many']);
    assert.ok((outcomes.get('/?sign-in-error=refused') ?? 0) <= 30);
  });

  it('nor about those for which Entra ID blames the application', async () => {
    await entra.setUp({ clientSecret: 'another secret' });
    const { location, cookies } = await begin();
    const state = new URL(location).searchParams.get('state');
    const codes: string[] = [];
    for (let i = 0; i < 32; i += 1)
      codes.push(
        (await visit(`/session/entra/callback?code=wrong&state=${state}`, cookies, {}, fresh)).location,
      );
    await entra.setUp();
    assert.deepEqual([codes[0], codes.at(-1)], ['/?sign-in-error=misconfigured', '/?sign-in-error=too_many']);
  });
});
