import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { definitions } from '../routes/index.ts';
import { hostNames } from '../config/auth-settings.ts';
import { keys } from '../test-support/credentials.ts';
import { expectProblem } from '../test-support/expect-problem.ts';
import { useIntake, type IntakeUnderTest } from '../test-support/intake-under-test.ts';
import { item, unknownId } from '../test-support/items.ts';

const routes = definitions.filter(({ scope }) => scope !== undefined);
const changes = routes.filter(({ method }) => method !== 'get');

describe('a page of another site', () => {
  const redis = useEmbeddedRedis();
  const open = useIntake(redis, { INTAKE_AUTH: 'off' });
  const guarded = useIntake(redis, { INTAKE_HOST_NAMES: 'queue.example, other.example:8443' });

  const foreign: Record<string, string>[] = [
    { Origin: 'https://evil.example' },
    { Origin: 'http://127.0.0.1:1' },
    { Origin: 'null' },
    { Origin: 'http://queue.example.evil.example' },
    { Origin: 'https://other.example' },
    { Origin: 'file://queue.example' },
    { 'Sec-Fetch-Site': 'cross-site' },
    { 'Sec-Fetch-Site': 'same-site' },
  ];
  const modes: [string, () => IntakeUnderTest, Record<string, string>][] = [
    ['where no credential is needed', () => open, {}],
    ['with a credential', () => guarded, { 'X-API-Key': keys.operator }],
  ];
  for (const [mode, intake, credential] of modes) {
    for (const { method, path } of changes) {
      it(`changes nothing ${mode}: ${method} ${path}`, async () => {
        for (const headers of foreign) {
          // Without a body: what a browser sends without asking first.
          const asked = intake().anonymously()[method](path.replace(':id', unknownId).replace(':index', '0'));
          expectProblem(await asked.set({ ...headers, ...credential }), 'cross_site');
        }
      });
    }
  }

  it('does not resume the queue with a form', async () => {
    await open.anonymously().post('/v1/queue/pause').send({ reason: 'a test' }).expect(200);
    const form = open.anonymously().post('/v1/queue/resume').type('text/plain');
    expectProblem(await form.set('Origin', 'https://evil.example'), 'cross_site');
    const { body } = await open.anonymously().get('/v1/quota').expect(200);
    assert.ok((body as { pause: unknown }).pause);
    await open.anonymously().post('/v1/queue/resume').expect(200);
  });

  const own: [string, () => IntakeUnderTest, () => Record<string, string>][] = [
    ['programs, which name no origin', () => open, () => ({})],
    [
      'a page of this very service',
      () => open,
      () => ({ Origin: open.url, 'Sec-Fetch-Site': 'same-origin' }),
    ],
    ['a page under a name that is listed', () => guarded, () => ({ Origin: 'https://queue.example' })],
    ['a page under a port that is listed', () => guarded, () => ({ Origin: 'https://other.example:8443' })],
  ];
  for (const [name, intake, headers] of own) {
    it(`is none of ${name}`, async () => {
      const asked = intake().anonymously().post('/v1/investigations').set('X-API-Key', keys.playbook);
      await asked.set(headers()).send(item(1)).expect(202);
    });
  }
});

describe('a foreign name that leads to this address', () => {
  const redis = useEmbeddedRedis();
  const open = useIntake(redis, { INTAKE_AUTH: 'off', INTAKE_HOST_NAMES: 'queue.example' });
  const guarded = useIntake(redis);
  const proxied = useIntake(redis, {
    INTAKE_TRUSTED_PROXIES: 'loopback',
    INTAKE_HOST_NAMES: 'queue.example',
  });
  const evil = { Host: 'evil.example', Origin: 'http://evil.example' };

  for (const { method, path } of routes) {
    it(`opens nothing where no credential is needed: ${method} ${path}`, async () => {
      const asked = open.anonymously()[method](path.replace(':id', unknownId).replace(':index', '0'));
      expectProblem(await asked.set(evil), 'foreign_host');
    });
  }

  for (const method of ['get', 'post', 'delete'] as const) {
    it(`neither signs in nor out: ${method} /session`, async () => {
      expectProblem(await guarded.anonymously()[method]('/session').set(evil), 'foreign_host');
    });
  }

  it('is refused as the host that a trusted proxy was asked for', async () => {
    const asked = proxied.anonymously().get('/session');
    expectProblem(await asked.set('X-Forwarded-Host', 'evil.example'), 'foreign_host');
  });

  it('is nothing to programs with a credential, nor to probes', async () => {
    await guarded.get('/v1/quota').set('Host', 'evil.example').expect(200);
    await open.anonymously().get('/livez').set('Host', 'evil.example').expect(200);
  });

  for (const host of [
    '127.0.0.1',
    '10.1.2.3:8080',
    '[::1]:8080',
    'localhost:8080',
    'LOCALHOST',
    'diq.localhost',
    'queue.example',
    'QUEUE.example:8443',
    hostname(),
  ]) {
    it(`is none of the service's own: ${host === hostname() ? 'the name of the machine' : host}`, async () => {
      await open.anonymously().get('/v1/quota').set('Host', host).expect(200);
    });
  }

  for (const host of [
    'localhost.evil.example',
    'queue.example.',
    'notqueue.example',
    '127.0.0.1.evil.example',
  ]) {
    it(`is refused, however it looks: ${host}`, async () => {
      expectProblem(await open.anonymously().get('/v1/quota').set('Host', host), 'foreign_host');
    });
  }
});

describe('INTAKE_HOST_NAMES', () => {
  it('takes host and host:port, as URLs write them', () => {
    assert.deepEqual(hostNames().parse('Queue.Example, bücher.example:8443'), [
      'queue.example',
      'xn--bcher-kva.example:8443',
    ]);
  });

  it('refuses everything else, by the number of the entry', () => {
    const { error } = hostNames().safeParse('https://a.example,b.example/path,*.example,,c.example');
    assert.deepEqual(
      error?.issues.map(({ message }) => /^entry \d/.exec(message)?.[0]),
      ['entry 1', 'entry 2', 'entry 3', 'entry 4'],
    );
  });
});
