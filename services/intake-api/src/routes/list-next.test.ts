import assert from 'node:assert/strict';
import type { NextCall } from '@diq/contracts/queue-order.ts';
import { requestDocument, type RequestDocument } from '@diq/contracts/request-document.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { expectProblem } from '../test-support/expect-problem.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { item, machineId } from '../test-support/items.ts';

interface Next {
  waiting: number;
  keptForCritical: { slots: number; criticalWaiting: number };
  value: NextCall[];
}

describe('GET /v1/queue/next', () => {
  const intake = useIntake(useEmbeddedRedis(), {
    DEFENDER_CALLS_PER_WINDOW: '5',
    QUOTA_RESERVE_CRITICAL: '2',
  });
  const ids: Record<'low' | 'high' | 'joined' | 'head', string> = { low: '', high: '', joined: '', head: '' };

  before(async () => {
    const submit = async (by: 'playbook' | 'submitter', number: number, more: object) =>
      (
        (await intake.as(by, 'post', '/v1/investigations', item(number, more)).expect(202)).body as {
          id: string;
        }
      ).id;
    ids.low = await submit('playbook', 1, { priority: 'low', source: 'edr' });
    ids.high = await submit('playbook', 2, { priority: 'low', source: 'soar' });
    ids.joined = await submit('submitter', 2, { priority: 'high', notAfter: '2099-01-01T00:00:00Z' });
    ids.head = await submit('playbook', 3, { priority: 'low', source: 'edr' });
    const reason = { reason: 'The board is asking' };
    await intake.as('operator', 'post', `/v1/investigations/${ids.head}/move-to-head`, reason).expect(200);
  });

  const next = async (query = '') =>
    (await intake.as('reader', 'get', `/v1/queue/next${query}`).expect(200)).body as Next;
  const documentOf = async (id: string) =>
    requestDocument.parse((await intake.get(`/v1/requests/${id}`).expect(200)).body);

  it('tells the calls in the order in which they go, and what decides it', async () => {
    const { waiting, keptForCritical, value } = await next();
    assert.deepEqual([waiting, keptForCritical], [3, { slots: 2, criticalWaiting: 0 }]);
    assert.deepEqual(
      value.map((call) => [call.position, call.machineId, call.requestId]),
      [
        [1, machineId(3), ids.head],
        [2, machineId(2), ids.high],
        [3, machineId(1), ids.low],
      ],
    );
    const [head, high, low] = value.map(({ placement }) => placement);
    assert.deepEqual(
      [head?.promotedBy?.by, head?.promotedBy?.reason, head?.why[0]],
      ['operator', 'The board is asking', 'Moved to the head of the queue by operator: The board is asking.'],
    );
    assert.ok(head?.promotedBy?.at);
    assert.deepEqual(
      [high?.priority, high?.headStartSeconds, high?.requests, high?.promotedBy, high?.flow.caller],
      ['high', 14 * 86_400, 2, { requestId: ids.joined }, 'submitter'],
    );
    assert.equal(
      Date.parse(high?.flow.virtualStart ?? '') - Date.parse(high?.sortedBy ?? ''),
      14 * 86_400_000,
    );
    assert.deepEqual([low?.priority, low?.flow.caller, low?.flow.source], ['low', 'playbook', 'edr']);
    assert.deepEqual(low?.ahead, {
      calls: 2,
      byPriority: { critical: 0, high: 1, medium: 0, low: 1 },
      bySource: [
        { source: 'edr', calls: 1 },
        { source: 'soar', calls: 1 },
      ],
      otherSources: 0,
      isEstimate: false,
    });
    assert.deepEqual(
      low?.why.filter((sentence) => !sentence.startsWith('By the fair share of playbook, source edr')),
      [
        'Priority low: no head start.',
        '2 calls ahead: 1 high, 1 low.',
        '2 slots kept for critical requests.',
      ],
    );
  });

  it('tells no more than is asked for', async () => {
    assert.equal((await next('?limit=2')).value.length, 2);
    for (const limit of ['0', '101', 'all'])
      expectProblem(await intake.get(`/v1/queue/next?limit=${limit}`), 'invalid_request');
  });

  it('says the same as the document of a request', async () => {
    const { value } = await next();
    for (const { requestId, position, placement } of value) {
      const { placement: own, ...document } = await documentOf(requestId);
      assert.equal(document.position, position);
      assert.deepEqual(own, placement);
    }
  });

  it('says to each of several requests that share a call the same place, and of one that it was for it', async () => {
    const [first, joined] = [await documentOf(ids.high), await documentOf(ids.joined)];
    assert.deepEqual(joined.position, first.position);
    const { why: _, ...ofJoined } = joined.placement ?? assert.fail();
    const { why: __, ...ofFirst } = first.placement ?? assert.fail();
    assert.deepEqual(ofJoined, ofFirst);
    assert.ok(joined.placement?.why.includes('Moved up for this request.'));
    assert.ok(first.placement?.why.includes(`Moved up for request ${ids.joined}, which shares the call.`));
  });

  it('says nothing of the place of a request that has ended, nor in lists', async () => {
    const { body } = await intake.post('/v1/investigations', item(9)).expect(202);
    const { id } = body as RequestDocument;
    await intake.as('operator', 'delete', `/v1/investigations/${id}`).expect(200);
    assert.equal((await documentOf(id)).placement, undefined);
    const listed = (await intake.get('/v1/requests').expect(200)).body as { value: RequestDocument[] };
    assert.ok(listed.value.every(({ placement }) => placement === undefined));
  });
});
