import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { createSimulator, type Simulator } from '@diq/defender-simulator/simulator.ts';
import { findFreePort } from '@diq/runtime/processes/free-port.ts';
import { Agent, fetch } from 'undici';

const tenantId = '0d2f6a5b-7a4e-4c46-9a55-0f1d3ac0b111';
const clientId = '5e0c0f3e-9a40-4be7-8c11-7a2f7d1c2222';
const clientSecret = 'the secret of the status page';

/** Who can sign in. */
export const people = {
  anna: {
    username: 'anna@example.com',
    name: 'Anna Lind',
    oid: 'a4a0a1c2-1111-4c46-9a55-0f1d3ac0b001',
    roles: ['Investigations.Admin', 'Groups.Read'],
  },
  bert: {
    username: 'bert@example.com',
    oid: 'a4a0a1c2-2222-4c46-9a55-0f1d3ac0b002',
    roles: ['Investigations.Read', 'Investigations.Submit'],
  },
  /** May ask for investigations, and not look. */
  carl: {
    username: 'carl@example.com',
    oid: 'a4a0a1c2-3333-4c46-9a55-0f1d3ac0b003',
    roles: ['Investigations.Submit'],
  },
  dora: { username: 'dora@example.com', oid: 'a4a0a1c2-4444-4c46-9a55-0f1d3ac0b004' },
  /** The name is long, and would put itself before what stands in front of it. */
  eve: {
    username: 'eve@example.com',
    name: `\u202eEve\u0000\n${'x'.repeat(200)}`,
    oid: 'a4a0a1c2-5555-4c46-9a55-0f1d3ac0b005',
    roles: ['Investigations.Read'],
  },
};

export type PersonName = keyof typeof people;

/** Entra ID, the people in it, and an intake to which they sign in. */
export interface EntraInUse {
  /** Settings of the intake at the public URL. */
  readonly env: Readonly<Record<string, string>>;
  /** Of another intake, with these settings of its own. */
  envOfAnother(changes?: Readonly<Record<string, string>>): Readonly<Record<string, string>>;
  /** For `openIntake`. */
  readonly trust: { ca: string };
  /** Replaces what can be signed in to; codes given before are forgotten. */
  setUp(changes?: object): Promise<void>;
  control(path: string, body: object): Promise<void>;
  /** Follows a link to Entra ID as this person, and returns where it leads back to. */
  goTo(url: string, person: PersonName | 'cancel'): Promise<URL>;
  close(): Promise<void>;
}

/** Call inside a `describe`. Readable from the suite's `before` hooks on. */
export function useEntra(): EntraInUse {
  let opened: { simulator: Simulator; agent: Agent; port: number } | undefined;
  const current = () => opened ?? assert.fail('Entra ID is there from the before hooks on');
  const publicUrl = () => `http://localhost:${current().port}`;

  before('open Entra ID', async () => {
    const simulator = await createSimulator({ tenantId, clientId: randomUUID(), clientSecret, port: 0 });
    opened = {
      simulator,
      agent: new Agent({ connect: { ca: simulator.caPem } }),
      port: await findFreePort(),
    };
    await setUp();
  });
  after('close Entra ID', () => close());

  async function close(): Promise<void> {
    await opened?.agent.close();
    await opened?.simulator.close();
    opened = undefined;
  }

  async function control(path: string, body: object): Promise<void> {
    const { simulator, agent } = current();
    const { status } = await fetch(`${simulator.origin}/control${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      dispatcher: agent,
    });
    assert.ok(status < 300, `${path}: ${status}`);
  }

  const setUp = (changes: object = {}) =>
    control('/sign-in', {
      clientId,
      clientSecret,
      redirectUris: [`${publicUrl()}/session/entra/callback`],
      people: Object.values(people),
      ...changes,
    });

  const settings = (port: () => string, changes: Readonly<Record<string, string>> = {}) => ({
    ...changes,
    INTAKE_ENTRA_TENANT_ID: tenantId,
    INTAKE_ENTRA_AUDIENCE: clientId,
    INTAKE_ENTRA_CLIENT_ID: clientId,
    INTAKE_ENTRA_CLIENT_SECRET: clientSecret,
    get INTAKE_PORT() {
      return port();
    },
    get INTAKE_PUBLIC_URL() {
      return changes['INTAKE_PUBLIC_URL'] ?? publicUrl();
    },
    get INTAKE_ENTRA_AUTHORITY_HOST() {
      return current().simulator.origin;
    },
  });

  return {
    env: settings(() => String(current().port)),
    envOfAnother: (changes) => settings(() => '0', changes),
    trust: {
      get ca() {
        return current().simulator.caPem;
      },
    },
    setUp,
    control,
    async goTo(url, person) {
      const target = new URL(url);
      assert.equal(target.origin, current().simulator.origin);
      if (person === 'cancel') target.searchParams.set('cancel', 'true');
      else target.searchParams.set('person', people[person].username);
      const { status, headers } = await fetch(target, { redirect: 'manual', dispatcher: current().agent });
      assert.equal(status, 302);
      return new URL(headers.get('location') ?? '');
    },
    close,
  };
}
