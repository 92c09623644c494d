import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { maxBatchItems } from '@diq/contracts/investigation-batch.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { item, machineId } from '../../test-support/items.ts';
import { taskFor } from '../../test-support/worker-moves.ts';
import type { ItemAnswer } from '@diq/contracts/item-answer.ts';

interface Reply {
  id: string;
  status: string;
  counts: Record<string, number>;
  items: ItemAnswer[];
}

describe('POST /v1/batches with acceptable items', () => {
  const intake = useIntake(useEmbeddedRedis());

  async function submit(body: object): Promise<Reply> {
    const response = await intake.post('/v1/batches', body).expect(202);
    return response.body as Reply;
  }

  it('tells the id of the batch, where it can be asked for, and what became of each item in input order', async () => {
    const response = await intake.post('/v1/batches', { requests: [item(1), item(2), item(3)] }).expect(202);
    const { id, status, counts, items } = response.body as Reply;
    assert.equal(status, 'running');
    assert.deepEqual(counts, { accepted: 3, coalesced: 0, rejected: 0 });
    assert.deepEqual(
      items.map(({ index, machineId, status }) => ({ index, machineId, status })),
      [1, 2, 3].map((number, index) => ({ index, machineId: machineId(number), status: 'accepted' })),
    );
    assert.equal(response.headers['location'], `/v1/batches/${id}`);
    assert.equal(response.headers['operation-location'], `/v1/batches/${id}`);
    assert.match(response.headers['retry-after'] ?? '', /^[1-9]\d*$/);
  });

  it('has every accepted request recorded, with a task that waits, when it answers', async () => {
    const { items } = await submit({ requests: [item(11), item(12)] });
    for (const answer of items) {
      assert.ok(answer.status === 'accepted');
      await intake.get(`/v1/investigations/${answer.id}`).expect(200);
      await taskFor(intake, answer.machineId);
    }
  });

  it('lets a bad item reject itself and not the batch, and says in words what is wrong with it', async () => {
    const { counts, items } = await submit({
      requests: [
        item(21),
        { ...item(22), machineId: 'ws-042.corp' },
        { comment: 'x', priorty: 'high' },
        7,
        item(23),
      ],
    });
    assert.deepEqual(counts, { accepted: 2, coalesced: 0, rejected: 3 });
    assert.deepEqual(
      items.map(({ status }) => status),
      ['accepted', 'rejected', 'rejected', 'rejected', 'accepted'],
    );
    const [, hostName, misspelt, number] = items;
    assert.ok(
      hostName?.status === 'rejected' && misspelt?.status === 'rejected' && number?.status === 'rejected',
    );
    assert.equal(hostName.machineId, 'ws-042.corp');
    assert.equal(hostName.error.code, 'invalid_item');
    assert.match(
      hostName.error.message,
      /^machineId must be a Defender machine id: 32 or 40 hexadecimal.*\.$/,
    );
    assert.deepEqual(misspelt.error.errors, [{ path: 'machineId', message: 'is required' }]);
    assert.equal(misspelt.error.furtherFaults, 1);
    assert.equal(misspelt.error.message, 'machineId is required; and 1 more.');
    assert.equal(hostName.error.furtherFaults, undefined);
    assert.match(number.error.message, /^the item: /);
  });

  it('echoes a machine id that is none only while it is short', async () => {
    const { items } = await submit({
      requests: [
        item(31),
        { ...item(32), machineId: 'x'.repeat(64) },
        { ...item(33), machineId: 'x'.repeat(65) },
      ],
    });
    assert.equal(items[1]?.machineId, 'x'.repeat(64));
    assert.ok(items[2] && !('machineId' in items[2]));
  });

  it('fills in the defaults of the batch where an item says nothing', async () => {
    const { items } = await submit({
      requests: [{ machineId: machineId(41) }, item(42, { source: 'xsoar' })],
      defaults: { comment: 'from the playbook', source: 'sentinel', priority: 'high' },
    });
    const documents = await Promise.all(
      items.map(async (answer) => {
        assert.ok(answer.status === 'accepted');
        return (await intake.get(`/v1/investigations/${answer.id}`)).body as Record<string, unknown>;
      }),
    );
    assert.deepEqual(
      documents.map(({ comment, source, priority }) => [comment, source, priority]),
      [
        ['from the playbook', 'sentinel', 'high'],
        ['Suspicious process tree', 'xsoar', 'high'],
      ],
    );
  });

  it('lets the second of two items for one machine join the first, whatever the case of the id', async () => {
    const { counts, items } = await submit({
      requests: [item(0xabc), { ...item(0xabc), machineId: machineId(0xabc).toUpperCase() }],
    });
    assert.deepEqual(counts, { accepted: 1, coalesced: 1, rejected: 0 });
    const [first, second] = items;
    assert.ok(first?.status === 'accepted' && second?.status === 'coalesced');
    assert.equal(second.coalescedWith, first.id);
  });

  it('lets items join what waits from an earlier batch', async () => {
    const earlier = await submit({ requests: [item(51)] });
    const { counts, items } = await submit({ requests: [item(51), item(52)] });
    assert.deepEqual(counts, { accepted: 1, coalesced: 1, rejected: 0 });
    const [first] = earlier.items;
    assert.ok(first?.status === 'accepted' && items[0]?.status === 'coalesced');
    assert.equal(items[0].coalescedWith, first.id);
  });

  it('takes the largest batch there is', async () => {
    const requests = Array.from({ length: maxBatchItems }, (_, number) => item(1_000_000 + number));
    const { id, counts, items } = await submit({ requests });
    assert.deepEqual(counts, { accepted: maxBatchItems, coalesced: 0, rejected: 0 });
    assert.equal(items.at(-1)?.machineId, requests.at(-1)?.machineId);
    const batch = (await intake.get(`/v1/batches/${id}`)).body as Reply;
    assert.equal(batch.counts['queued'], maxBatchItems);
  }).timeout(60_000);

  it('logs a batch in one line at info, without a line per request', async () => {
    const { id } = await submit({ requests: [item(61), item(62), 7] });
    const lines = intake.log.filter((line) => line['batchId'] === id);
    const [summary, ...others] = lines;
    assert.deepEqual(
      [summary?.['level'], summary?.['msg'], summary?.['counts']],
      ['info', 'batch accepted', { accepted: 2, coalesced: 0, rejected: 1 }],
    );
    assert.deepEqual(
      others.map((line) => [line['level'], line['index']]),
      [0, 1, 2].map((index) => ['debug', index]),
    );
  });
});
