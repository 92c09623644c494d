import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { gzipSync } from 'node:zlib';
import { generateKeyPair } from 'jose';
import type { Response } from 'supertest';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { countSystemLookups } from '@diq/testing/system-lookups.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { scopesOfRoles } from './entra-roles.ts';
import { createTokenCheck, KeysUnreachable } from './entra-tokens.ts';
import { keys } from '../test-support/credentials.ts';
import { expectProblem } from '../test-support/expect-problem.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { useIssuer, type TokenPlan } from '../test-support/issuer-under-test.ts';
import { item } from '../test-support/items.ts';

/** Short, so that a test may see what comes after it. */
const cooldownMs = 50;

const person = 'a1b2c3d4-0000-4000-8000-00000000000a';
const otherPerson = 'a1b2c3d4-0000-4000-8000-00000000000b';
const admin = ['Investigations.Admin'];

const packedHead = 'HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 9999999\r\n\r\n';
const interim = 'HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n';

describe('a bearer token of Entra ID', () => {
  const issuer = useIssuer();
  const intake = useIntake(
    useEmbeddedRedis(),
    {
      INTAKE_ENTRA_TENANT_ID: issuer.tenantId,
      INTAKE_ENTRA_AUDIENCE: `${issuer.audience}, 7d9b7a10-0000-4000-8000-000000000000`,
      get INTAKE_ENTRA_AUTHORITY_HOST() {
        return issuer.origin;
      },
    },
    { entra: { fetch: (...asked) => issuer.fetch(...asked), cooldownMs } },
  );

  const read = (token: string) =>
    intake.anonymously().get('/v1/quota').set('Authorization', `Bearer ${token}`);
  const submit = (token: string, body = item(1)) =>
    intake.anonymously().post('/v1/investigations').set('Authorization', `Bearer ${token}`).send(body);
  const signed = (plan?: TokenPlan) => issuer.token(plan);

  describe('is accepted', () => {
    const accepted: [string, () => TokenPlan][] = [
      ['of version 2.0', () => ({})],
      [
        'of version 1.0, whose issuer is another host',
        () => ({
          claims: {
            iss: `https://sts.windows.net/${issuer.tenantId}/`,
            appid: issuer.applicationId,
            azp: undefined,
            ver: '1.0',
          },
        }),
      ],
      ['for the other audience', () => ({ claims: { aud: '7d9b7a10-0000-4000-8000-000000000000' } })],
      ['that expired by less than clocks differ', () => ({ expiresInSeconds: -30 })],
      ['that begins by less than clocks differ', () => ({ validInSeconds: 30 })],
      ['with a type of its own (at+jwt)', () => ({ type: 'at+jwt' })],
      [
        'whose subject is its service principal',
        () => ({ claims: { oid: person, sub: person, idtyp: 'app' } }),
      ],
      ['of a person', () => ({ claims: { oid: person, scp: 'user_impersonation', sub: 'pairwise' } })],
    ];
    for (const [name, plan] of accepted) {
      it(name, async () => {
        await read(await signed(plan())).expect(200);
      });
    }

    it('beside API keys', async () => {
      await intake.get('/v1/quota').expect(200);
    });

    const callers: [string, object, string][] = [
      ['of an application, that is the caller', {}, issuer.applicationId],
      [
        'of a person, the person is: by application and object id',
        { oid: person, scp: 'user_impersonation' },
        `${issuer.applicationId}/${person}`,
      ],
      [
        'of a person, in version 1.0 and in capitals, likewise',
        {
          iss: `https://sts.windows.net/${issuer.tenantId}/`,
          azp: undefined,
          appid: issuer.applicationId.toUpperCase(),
          oid: person.toUpperCase(),
          scp: 'user_impersonation',
          ver: '1.0',
        },
        `${issuer.applicationId}/${person}`,
      ],
    ];
    for (const [name, claims, caller] of callers) {
      it(`and ${name}, in the log as for ownership`, async () => {
        await read(await signed({ claims: claims as Record<string, unknown> })).expect(200);
        const line = intake.log.findLast((entry) => entry['msg'] === 'request answered');
        assert.equal(line?.['caller'], `entra:${caller}`);
      });
    }

    it('and two people who use one application are two callers', async () => {
      const tokenOf = (oid: string) =>
        signed({ claims: { oid, scp: 'user_impersonation', roles: ['Investigations.Submit'] } });
      const { id } = (await submit(await tokenOf(person), item(7)).expect(202)).body as { id: string };
      const cancel = async (oid: string) =>
        intake
          .anonymously()
          .delete(`/v1/investigations/${id}`)
          .set('Authorization', `Bearer ${await tokenOf(oid)}`);
      expectProblem(await cancel(otherPerson), 'request_not_found');
      assert.equal((await cancel(person)).status, 200);
    });

    it('from the keys that were read once', async () => {
      await read(await signed()).expect(200);
      const { reads } = issuer;
      for (let i = 0; i < 5; i += 1) await read(await signed()).expect(200);
      assert.equal(issuer.reads, reads);
    });
  });

  describe('may do what its app roles say', () => {
    it('Investigations.Respond: an operation of that risk, and no other', () => {
      assert.deepEqual([...scopesOfRoles(['Investigations.Respond'])], ['respond']);
      assert.deepEqual([...scopesOfRoles(['Investigations.Admin'])], ['submit', 'read', 'admin']);
    });

    const roles: [string[], number, number][] = [
      [['Investigations.Read'], 200, 403],
      [['Investigations.Submit'], 403, 202],
      [['Investigations.Admin'], 200, 202],
      [['Investigations.Other', 'constructor'], 403, 403],
      [[], 403, 403],
    ];
    for (const [granted, reading, submitting] of roles) {
      it(`${granted.join(', ') || 'none'}: ${reading} for reading, ${submitting} for submitting`, async () => {
        const token = await signed({ claims: { roles: granted } });
        const answers = [await read(token), await submit(token)];
        assert.deepEqual(
          answers.map(({ status }) => status),
          [reading, submitting],
        );
        for (const answer of answers.filter(({ status }) => status === 403))
          expectProblem(answer, 'forbidden');
      });
    }

    it('a token without any role at all may nothing', async () => {
      expectProblem(await read(await signed({ claims: { roles: undefined } })), 'forbidden');
    });
  });

  describe('is refused with 401 and a reason that tells nothing of it', () => {
    const refused: [string, RegExp, () => Promise<string>][] = [
      ['without a signature (alg none)', /not signed with RS256/, async () => unsigned(await signed())],
      [
        "signed with HS256 and the issuer's public key as the secret",
        /not signed with RS256/,
        async () => confused(await signed(), await issuer.publicKey()),
      ],
      [
        'signed by another key under the name of the right one',
        /signature of the token is wrong/,
        async () => signed({ signedBy: (await generateKeyPair('RS256')).privateKey }),
      ],
      [
        'signed by a key that the tenant does not have',
        /unknown key/,
        async () => signed({ kid: 'unknown-key', signedBy: (await generateKeyPair('RS256')).privateKey }),
      ],
      ['changed after it was signed', /signature of the token is wrong/, async () => changed(await signed())],
      ['for another audience', /another audience/, () => signed({ claims: { aud: 'api://other' } })],
      ['for no audience', /another audience/, () => signed({ claims: { aud: undefined } })],
      ['of another issuer', /another issuer/, () => signed({ claims: { iss: 'https://evil.example/v2.0' } })],
      [
        'of another tenant of the same issuer',
        /another issuer/,
        () => signed({ claims: { iss: `${issuer.origin}/${otherTenant}/v2.0`, tid: otherTenant } }),
      ],
      ['whose tenant is another', /another tenant/, () => signed({ claims: { tid: otherTenant } })],
      ['that has expired', /has expired/, () => signed({ expiresInSeconds: -120 })],
      ['that never expires', /no time of expiry/, () => signed({ claims: { exp: undefined } })],
      ['that is not valid yet', /not valid yet/, () => signed({ validInSeconds: 120 })],
      ['that names no application', /no access token/, () => signed({ claims: { azp: undefined } })],
      [
        'that is an ID token of the same application',
        /no access token/,
        () => signed({ claims: { azp: undefined, oid: person, sub: 'pairwise', roles: admin } }),
      ],
      ['with a nonce', /an ID token/, () => signed({ claims: { nonce: 'n', oid: person, scp: 'openid' } })],
      ['with the hash of another token', /an ID token/, () => signed({ claims: { at_hash: 'h' } })],
      ['of another type', /an ID token/, () => signed({ type: 'logout+jwt' })],
      [
        'of a person without a permission that was asked for',
        /no access token/,
        () => signed({ claims: { oid: person, sub: 'pairwise', roles: admin } }),
      ],
      [
        'of a user by its own word, without a permission',
        /no access token/,
        () => signed({ claims: { idtyp: 'user' } }),
      ],
      ['with an unknown permission', /no access token/, () => signed({ claims: { scp: 'x' } })],
      ['whose application is no GUID', /claim of the token/, () => signed({ claims: { azp: 'app/1' } })],
      ['that is cut off', /cannot be read|signature/, async () => (await signed()).slice(0, -40)],
      ['of 13,000 characters', /too long/, () => signed({ claims: { padding: 'x'.repeat(9_500) } })],
    ];
    for (const [name, why, make] of refused) {
      it(name, async () => {
        const token = await make();
        const answer = await read(token);
        expectRefusal(answer, why);
        assert.ok(!answer.text.includes(token.slice(-20)));
        expectRefusal(await submit(token), why);
      });
    }

    it('and no part of any token is in the log', () => {
      const log = JSON.stringify(intake.log);
      assert.ok(!/eyJ[\w-]{20}/.test(log));
    });
  });

  describe("while the tenant's keys change", () => {
    it('is accepted by a new key without a restart, and refused by the one that went', async () => {
      const old = await signed();
      await read(old).expect(200);
      await issuer.rotate();
      const fresh = await signed();
      const answers = await untilNot(() => read(fresh), 401);
      assert.equal(answers.status, 200);
      expectRefusal(await read(old), /unknown key/);
    });

    it('has them read for unknown keys at most once per cooldown', async () => {
      const forged = await signed({ kid: 'unknown-key' });
      const { reads } = issuer;
      const startedAtMs = performance.now();
      await Promise.all(Array.from({ length: 20 }, () => read(forged)));
      const most = 1 + Math.ceil((performance.now() - startedAtMs) / cooldownMs);
      assert.ok(issuer.reads - reads <= most, `${issuer.reads - reads} reads`);
    });
  });
});

describe('a bearer token of Entra ID whose keys cannot be read', () => {
  const issuer = useIssuer();
  const intake = useIntake(
    useEmbeddedRedis(),
    {
      INTAKE_ENTRA_TENANT_ID: issuer.tenantId,
      INTAKE_ENTRA_AUDIENCE: issuer.audience,
      get INTAKE_ENTRA_AUTHORITY_HOST() {
        return issuer.origin;
      },
    },
    { entra: { fetch: (...asked) => issuer.fetch(...asked), cooldownMs } },
  );
  const read = (token: string) =>
    intake.anonymously().get('/v1/quota').set('Authorization', `Bearer ${token}`);

  it('is answered with 503 and not 401, while API keys are taken, and is accepted once they can be', async () => {
    issuer.setReachable(false);
    const token = await issuer.token();
    const answer = await read(token);
    expectProblem(answer, 'identity_unavailable');
    assert.equal(answer.headers['retry-after'], '5');
    await intake.get('/v1/quota').expect(200);
    issuer.setReachable(true);
    await waitFor(async () => (await read(token)).status === 200, { what: 'the keys to be read' });
  });

  it('is accepted while they are known from before', async () => {
    await read(await issuer.token()).expect(200);
    issuer.setReachable(false);
    await read(await issuer.token()).expect(200);
  });
});

describe('the keys of the Entra tenant', () => {
  const issuer = useIssuer();

  it('are tried for once in a second at most while they cannot be read, however often they are needed', async () => {
    const { tenantId, audience, origin } = issuer;
    const settings = { tenantId, audiences: [audience], authorityHost: origin };
    let tries = 0;
    const away = () => {
      tries += 1;
      return Promise.resolve(new globalThis.Response(null, { status: 503 }));
    };
    const [check, token, startedAtMs] = [
      createTokenCheck(settings, { fetch: away }),
      await issuer.token(),
      performance.now(),
    ];
    for (let i = 0; i < 20; i += 1) await assert.rejects(check(token), KeysUnreachable);
    assert.ok(tries <= 1 + Math.floor((performance.now() - startedAtMs) / 1_000), `${tries} tries`);
  });

  it("are read without a lookup in the system's pool, which the connections to Redis need", async () => {
    const { tenantId, audience, origin } = issuer;
    const check = createTokenCheck({ tenantId, audiences: [audience], authorityHost: origin });
    const token = await issuer.token();
    const lookups = await countSystemLookups(async () => {
      const refused = (error: unknown) =>
        error instanceof KeysUnreachable && codeOf(error) === 'DEPTH_ZERO_SELF_SIGNED_CERT';
      // It connected: the certificate of the issuer is what it does not trust.
      await assert.rejects(check(token), refused);
    });
    assert.equal(lookups, 0);
  });

  for (const [what, expected, begin, more] of [
    [
      'unpack to more than keys are long',
      /too long/,
      packedHead,
      gzipSync(Buffer.alloc(32 * 1024 * 1024, ' ')),
    ],
    ['come behind interim answers without end', /no end/, '', Buffer.from(interim.repeat(400))],
  ] as const) {
    it(`are read no further where they ${what}`, async () => {
      const server = createServer((socket) => {
        socket.on('error', () => undefined);
        socket.once('data', () => {
          socket.write(begin);
          const sendMore = (): void =>
            void (socket.destroyed || socket.write(more, () => setImmediate(sendMore)));
          sendMore();
        });
      }).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const authorityHost = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const { tenantId, audience } = issuer;
      const check = createTokenCheck({ tenantId, audiences: [audience], authorityHost });
      await assert.rejects(check(await issuer.token()), (error: unknown) => {
        assert.ok(error instanceof KeysUnreachable);
        assert.match(inspect(error), expected);
        return true;
      });
      server.close();
      await once(server, 'close');
    });
  }

  it('are those that the tenant publishes', async () => {
    const published = issuer.keys();
    const server = createHttpServer((_request, response) => response.end(published)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const authorityHost = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { tenantId, audience } = issuer;
    const check = createTokenCheck({ tenantId, audiences: [audience], authorityHost });
    const iss = `${authorityHost}/${tenantId}/v2.0`;
    assert.equal((await check(await issuer.token({ claims: { iss } }))).kind, 'known');
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
});

describe('a bearer token of Entra ID where only keys are accepted', () => {
  const issuer = useIssuer();
  const intake = useIntake(useEmbeddedRedis());

  it('is refused', async () => {
    const token = await issuer.token();
    const answer = await intake.anonymously().get('/v1/quota').set('Authorization', `Bearer ${token}`);
    expectRefusal(answer, /not known here/);
    await intake.anonymously().get('/v1/quota').set('Authorization', `Bearer ${keys.reader}`).expect(200);
  });
});

const otherTenant = '99999999-0000-4000-8000-000000000000';

function expectRefusal(answer: Response, why: RegExp): void {
  const { detail } = expectProblem(answer, 'unauthenticated');
  assert.match(detail ?? '', why);
  const challenge = answer.headers['www-authenticate'] ?? '';
  assert.equal(
    challenge,
    `Bearer realm="investigations", error="invalid_token", error_description="${detail}"`,
  );
}

/** Of the error at the bottom of its causes. */
function codeOf(error: Error): unknown {
  return error.cause instanceof Error ? codeOf(error.cause) : 'code' in error && error.code;
}

async function untilNot(ask: () => PromiseLike<Response>, status: number): Promise<Response> {
  const endMs = performance.now() + 5_000;
  let answer = await ask();
  while (answer.status === status && performance.now() < endMs) answer = await ask();
  return answer;
}

function part(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function unsigned(token: string): string {
  return `${part({ alg: 'none', typ: 'JWT' })}.${token.split('.')[1]}.`;
}

function confused(token: string, secret: string): string {
  const header = {
    ...(JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) as object),
  };
  const signed = `${part({ ...header, alg: 'HS256' })}.${token.split('.')[1]}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

function changed(token: string): string {
  const [header, payload = '', signature] = token.split('.');
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object;
  return `${header}.${part({ ...claims, roles: ['Investigations.Admin'] })}.${signature}`;
}
