import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NextCall } from '@diq/contracts/queue-order.ts';
import type { RequestDocument } from '@diq/contracts/request-document.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { item } from '../test-support/items.ts';
import { connectAgent, type Agent } from '../test-support/mcp-agent.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const tenant = (name: string, digit: string) => ({
  name,
  tenantId: `${digit.repeat(8)}-1111-4111-8111-${String(Date.now()).slice(-12).padStart(12, '0')}`,
  clientId: '22222222-2222-4222-8222-222222222222',
  clientSecretFile: '/run/secret',
  operations: { initiateInvestigation: {} },
});
const keys = {
  agent: 'submit+read:contoso',
  second: 'submit+read:contoso',
  soar: 'submit+read:contoso',
  reader: 'read:contoso',
  submitter: 'submit:contoso',
  other: 'submit+read:fabrikam',
};
const maxWaiting = 6;

interface Batch {
  id: string;
  items: { id: string; status: string }[];
}

describe('the MCP endpoint', () => {
  const dir = mkdtempSync(join(tmpdir(), 'intake-mcp-'));
  const file = join(dir, 'tenants.json');
  writeFileSync(file, JSON.stringify({ tenants: [tenant('contoso', 'a'), tenant('fabrikam', 'b')] }));
  after(() => rmSync(dir, { recursive: true }));
  const intake = useIntake(useEmbeddedRedis(), {
    MCP: 'on',
    MCP_MAX_WAITING: String(maxWaiting),
    TENANTS_FILE: file,
    AZURE_TENANT_ID: '',
    INTAKE_API_KEYS: Object.entries(keys)
      .map(([name, held]) => held.replace(/^(.*):(.*)$/, `${name}:$1:${sha256(name)}:$2`))
      .join(','),
  });
  const agents = {} as Record<keyof typeof keys, Agent>;
  before('connect the agents', async () => {
    for (const name of Object.keys(keys) as (keyof typeof keys)[]) {
      agents[name] = await connectAgent(intake.url, name);
    }
  });
  after('disconnect them', async () => {
    await Promise.all(Object.values(agents).map(({ client }) => client.close()));
  });

  let number = 0;
  const items = (count: number) => Array.from({ length: count }, () => item(++number));
  const ask = (key: string, method: 'get' | 'post' | 'delete', path: string) =>
    intake.anonymously()[method](path).set('X-API-Key', key);
  async function submit(agent: Agent, requests: object[], more: object = {}): Promise<Batch> {
    const { found, refused } = await agent.call('submit', { requests, ...more });
    assert.equal(refused, undefined);
    return found['batch'] as Batch;
  }
  async function cancelAll(agent: Agent, { items: recorded }: Batch): Promise<void> {
    for (const { id } of recorded) assert.equal((await agent.call('cancel', { id })).refused, undefined);
  }

  it('lists what the key may use, says which tools change something, and what all of them answer', async () => {
    const listed = async (agent: Agent) => (await agent.client.listTools()).tools;
    const all = await listed(agents.agent);
    const names = [
      'get_quota',
      'dry_run',
      'submit',
      'get_request',
      'list_requests',
      'cancel',
      'next_in_line',
    ];
    assert.deepEqual(
      all.map(({ name }) => name),
      names,
    );
    for (const { name, annotations, outputSchema } of all) {
      const isChanging = ['submit', 'cancel'].includes(name);
      assert.deepEqual(
        [annotations?.readOnlyHint, annotations?.destructiveHint, outputSchema?.['type']],
        [!isChanging, isChanging, 'object'],
      );
    }
    const namesFor = async (agent: Agent) => (await listed(agent)).map(({ name }) => name);
    assert.deepEqual(await namesFor(agents.reader), [
      'get_quota',
      'get_request',
      'list_requests',
      'next_in_line',
    ]);
    assert.deepEqual(await namesFor(agents.submitter), ['dry_run', 'submit', 'cancel']);
  });

  it('names the scope that a tool takes and the key lacks', async () => {
    const refusals = [
      await agents.reader.call('submit', { requests: items(1) }),
      await agents.reader.call('dry_run', { requests: items(1) }),
      await agents.reader.call('cancel', { id: 'x' }),
      await agents.submitter.call('get_quota'),
      await agents.submitter.call('list_requests'),
    ].map(({ refused }) => /^forbidden: .* lacks the scope '(\w+)'/.exec(refused ?? '')?.[1]);
    assert.deepEqual(refusals, ['submit', 'submit', 'submit', 'read', 'read']);
  });

  it('submits once for a key of idempotency, under the source of its key, and each tool sees it', async () => {
    const requests = items(2);
    const { agent } = agents;
    const foreseen = (await agent.call('dry_run', { requests })).found['foreseen'] as { counts: object };
    assert.deepEqual(foreseen.counts, { accepted: 2, coalesced: 0, rejected: 0 });
    const batch = await submit(agent, requests, { idempotencyKey: 'inc-1' });
    assert.deepEqual(await submit(agent, requests, { idempotencyKey: 'inc-1' }), batch);
    const [id = ''] = batch.items.map((one) => one.id);
    const one = (await agent.call('get_request', { id })).found['request'] as RequestDocument;
    assert.deepEqual([one.source, one.status, one.comment], ['mcp:agent', 'queued', requests[0]?.comment]);
    const page = await agent.call('list_requests', { source: 'mcp:agent', limit: 1 });
    const second = await agent.call('list_requests', {
      limit: 1,
      source: 'mcp:agent',
      cursor: page.found['nextCursor'],
    });
    const ids = [page, second].flatMap(({ found }) =>
      (found['requests'] as RequestDocument[]).map((r) => r.id),
    );
    assert.deepEqual(ids.toSorted(), batch.items.map((r) => r.id).toSorted());
    const { found: quota } = await agent.call('get_quota', { operation: 'initiateInvestigation' });
    assert.ok(JSON.stringify(quota).includes('"queued":2'), JSON.stringify(quota));
    assert.equal((await agent.call('next_in_line', { limit: 1 })).found['waiting'], 2);
    await cancelAll(agent, batch);
    const { found } = await agent.call('get_request', { id });
    assert.equal((found['request'] as RequestDocument).status, 'cancelled');
  });

  it('lets nobody choose a source or a callback, and names field and reason', async () => {
    const { agent } = agents;
    const [one] = items(1);
    const faulty = [
      { requests: [{ ...one, source: 'soar' }] },
      { requests: [one], defaults: { source: 'mcp:soar' } },
      { requests: [{ ...one, callbackUrl: 'https://example.com/' }] },
      { requests: [{ ...one, machineId: 'laptop' }] },
      { requests: items(101) },
      { requests: [one], idempotencyKey: '' },
      { requests: [{ machineId: one?.machineId }] },
    ];
    for (const given of faulty) {
      const { refused } = await agent.call('submit', given);
      assert.match(
        refused ?? '',
        /source|callbackUrl|machineId must be|at most 100|idempotencyKey must|comment is/,
      );
    }
    assert.match((await agent.call('get_request', { id: '../quota' })).refused ?? '', /id must be the id/);
    assert.deepEqual((await agent.call('list_requests', { status: ['queued'] })).found, { requests: [] });
  });

  it('keeps tenants apart, and requests of other keys from being cancelled', async () => {
    const batch = await submit(agents.agent, items(1));
    const [id = ''] = batch.items.map((one) => one.id);
    assert.match((await agents.other.call('get_request', { id })).refused ?? '', /^request_not_found/);
    assert.match((await agents.other.call('cancel', { id })).refused ?? '', /^request_not_found/);
    assert.match(
      (await agents.other.call('get_quota', { tenant: 'contoso' })).refused ?? '',
      /^tenant_not_found/,
    );
    assert.deepEqual((await agents.other.call('list_requests')).found, { requests: [] });
    assert.match((await agents.second.call('cancel', { id })).refused ?? '', /^not_owner/);
    await cancelAll(agents.agent, batch);
  });

  it('has turns of its own: a burst of an agent does not delay others, and its key neither', async () => {
    const burst = await submit(agents.agent, items(5));
    const [own, others] = items(2);
    const viaHttp = await ask('agent', 'post', '/v1/batches').send({
      requests: [own],
      defaults: { source: 'playbook' },
    });
    const bySoar = await ask('soar', 'post', '/v1/batches').send({ requests: [others] });
    const { found } = await agents.agent.call('next_in_line', { limit: 10 });
    const order = (found['value'] as NextCall[]).map(({ machineId }) => machineId);
    assert.ok(order.indexOf(String(others?.machineId)) <= 1, 'another caller');
    assert.ok(order.indexOf(String(own?.machineId)) <= 3, 'another source of the key');
    await cancelAll(agents.agent, burst);
    await cancelAll(agents.agent, viaHttp.body as Batch);
    await cancelAll(agents.soar, bySoar.body as Batch);
  });

  it('lets only so many of a key wait, however many ask at once, and nothing of what is refused', async () => {
    const tries = await Promise.all(
      Array.from({ length: 8 }, async () => agents.agent.call('submit', { requests: items(2) })),
    );
    const accepted = tries.filter(({ refused }) => refused === undefined);
    assert.ok(accepted.length <= maxWaiting / 2 && accepted.length > 0, `${accepted.length} accepted`);
    for (const { refused } of tries) {
      if (refused !== undefined) assert.match(refused, /^backlog_full: .*MCP_MAX_WAITING allows 6; nothing/);
    }
    const waiting = (await agents.agent.call('list_requests', { status: ['queued'], limit: 50 })).found;
    assert.equal((waiting['requests'] as unknown[]).length, accepted.length * 2);
    // Others are not held against it, and neither is what its key asks for elsewhere.
    await cancelAll(agents.second, await submit(agents.second, items(6)));
    await ask('agent', 'post', '/v1/batches')
      .send({ requests: items(3) })
      .expect(202);
    for (const { found } of accepted) await cancelAll(agents.agent, found['batch'] as Batch);
    // Another caller that names the source takes none of its room.
    const named = { requests: items(6), defaults: { source: 'mcp:second' } };
    await ask('soar', 'post', '/v1/batches').send(named).expect(202);
    await submit(agents.second, items(6));
    assert.match((await agents.second.call('submit', { requests: items(1) })).refused ?? '', /^backlog_full/);
  });

  it('lets in who has a key, from its own names, one message at a time and without sessions', async () => {
    const ping = { jsonrpc: '2.0', id: 1, method: 'ping' };
    const post = (headers: Record<string, string>, body: object = ping) =>
      fetch(new URL('/mcp', intake.url), {
        method: 'POST',
        headers: {
          'Content-Type': 'application/json',
          Accept: 'application/json, text/event-stream',
          ...headers,
        },
        body: JSON.stringify(body),
      });
    const withKey = { Authorization: 'Bearer agent' };
    const statuses = [
      await post(withKey),
      await post({}),
      await post({ Authorization: 'Bearer wrong' }),
      await post({ Cookie: 'diq_session=agent' }),
      await post({ ...withKey, Origin: 'https://evil.example' }),
      await post(withKey, [ping, ping]),
      await post(withKey, { ...ping, params: { filler: 'x'.repeat(1_100_000) } }),
      await fetch(new URL('/mcp', intake.url), { headers: withKey }),
      await fetch(new URL('/mcp', intake.url), { method: 'DELETE', headers: withKey }),
    ].map(({ status, headers }) => [status, headers.get('mcp-session-id')]);
    assert.deepEqual(
      statuses.map(([status]) => status),
      [200, 401, 401, 401, 403, 400, 413, 405, 405],
    );
    assert.ok(statuses.every(([, session]) => session === null));
    const lines = intake.log.filter(({ msg }) => msg === 'tool called');
    assert.ok(lines.length > 0 && lines.every((line) => typeof line['httpRequestId'] === 'string'));
  });
});

describe('the MCP endpoint where it is closed', () => {
  const intake = useIntake(useEmbeddedRedis());

  it('is not there', async () => {
    const { status } = await intake.as('playbook', 'post', '/mcp', { jsonrpc: '2.0', id: 1, method: 'ping' });
    assert.equal(status, 404);
  });
});
