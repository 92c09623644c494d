import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { keys, keySetting, sha256 } from '../test-support/credentials.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { item, machineId } from '../test-support/items.ts';
import { makeCall } from '../test-support/worker-moves.ts';

type Fields = Record<string, unknown>;

describe('a caller that may submit and not read', () => {
  const intake = useIntake(useEmbeddedRedis(), { DEFENDER_CALLS_PER_WINDOW: '5', REUSE_WINDOW: '1h' });
  const submit = async (body: object, path = '/v1/investigations') =>
    (await intake.as('submitter', 'post', path, body)).body as Fields;

  before('have others ask for the same machines', async () => {
    const requests = [1, 2, 3].map((number) => item(number, { comment: 'of another' }));
    await intake.post('/v1/batches', { requests }).expect(202);
    await makeCall(intake, machineId(2), {
      status: 'started',
      result: { kind: 'investigation', id: '5146' },
      attempts: 1,
    });
  });

  it('is answered id and status of a request, also of one that shares a call', async () => {
    for (const number of [1, 2, 9]) {
      const { id, ...rest } = await submit(item(number));
      assert.match(String(id), /^[0-9a-f-]{36}$/);
      assert.deepEqual(rest, { status: number === 2 ? 'started' : 'queued' });
    }
  });

  it('is answered id and status of each item of a batch, and what is wrong with it', async () => {
    const requests = [item(1), item(10), { machineId: 'no' }];
    const answer = await submit({ requests }, '/v1/batches');
    assert.deepEqual(Object.keys(answer).toSorted(), ['counts', 'id', 'items', 'status']);
    const items = answer['items'] as Fields[];
    assert.deepEqual(
      items.map((one) => Object.keys(one).toSorted()),
      [
        ['id', 'index', 'status'],
        ['id', 'index', 'status'],
        ['error', 'index', 'status'],
      ],
    );
    assert.deepEqual(
      items.map(({ status }) => status),
      ['coalesced', 'accepted', 'rejected'],
    );
  });

  it('learns from a dry run what would become of it, and of no other request', async () => {
    assert.deepEqual(await submit(item(1), '/v1/investigations?dryRun=true'), {
      dryRun: true,
      status: 'coalesced',
    });
    assert.deepEqual(await submit({ requests: [item(2), item(11)] }, '/v1/batches?dryRun=true'), {
      dryRun: true,
      counts: { accepted: 1, coalesced: 1, rejected: 0 },
      items: [
        { index: 0, status: 'coalesced' },
        { index: 1, status: 'accepted' },
      ],
    });
  });

  it('is answered id and status of what it changed and cancelled', async () => {
    const { id } = await submit(item(3));
    const path = `/v1/investigations/${String(id)}`;
    const { body: changed } = await intake.as('submitter', 'patch', path, { priority: 'high' }).expect(200);
    assert.deepEqual(changed, { id, status: 'queued' });
    const { body: cancelled } = await intake.as('submitter', 'delete', path).expect(200);
    assert.deepEqual(cancelled, { id, status: 'cancelled' });
  });
});

describe('a caller that has lost the scope to read', () => {
  let folder = '';
  const env: Record<string, string> = {};
  before('write the keys to a file', async () => {
    folder = await mkdtemp(join(tmpdir(), 'diq-keys-'));
    env['INTAKE_API_KEYS_FILE'] = join(folder, 'keys');
    await writeFile(env['INTAKE_API_KEYS_FILE'], keySetting);
  });
  after(() => rm(folder, { recursive: true }));
  const intake = useIntake(useEmbeddedRedis(), env, { keyFileIntervalMs: 20 });

  it('is answered a receipt when it repeats what it asked before', async () => {
    const key = randomUUID();
    const post = () => intake.post('/v1/investigations', item(1)).set('Idempotency-Key', key).expect(202);
    const { id } = (await post()).body as Fields;
    await writeFile(
      env['INTAKE_API_KEYS_FILE']!,
      keySetting.replace(/playbook:[^,]+/, `playbook:submit:${sha256(keys.playbook)}`),
    );
    while (!intake.log.some(({ msg }) => msg === 'API keys changed')) await new Promise(setImmediate);
    const again = await post();
    assert.equal(again.headers['idempotent-replayed'], 'true');
    assert.deepEqual(again.body, { id, status: 'queued' });
  });
});
