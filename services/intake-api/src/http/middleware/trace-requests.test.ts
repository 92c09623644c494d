import assert from 'node:assert/strict';
import { parseTraceContext } from '@diq/contracts/trace-context.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { item } from '../../test-support/items.ts';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const traceparent = `00-${traceId}-b7ad6b7169203331-01`;
const tracestate = 'congo=t61rcWkgMzE';

describe('the trace that a caller sends', () => {
  const intake = useIntake(useEmbeddedRedis());

  /** The lines about a request; its acceptance is answered before the last of them is written. */
  const linesWith = (field: string, value: unknown, count: number) =>
    waitFor(
      () => {
        const lines = intake.log.filter((line) => line[field] === value);
        return lines.length >= count && lines;
      },
      { what: `${count} lines with this ${field}` },
    );

  async function traceKept(requestId: string) {
    const stored = (await intake.get(`/v1/investigations/${requestId}`)).body as { machineId: string };
    const [taskId = ''] = await intake.tasks.waitingPage(0, 100).then((ids) => ids.slice(-1));
    const task = await intake.tasks.find(taskId);
    assert.equal(task?.machineId, stored.machineId);
    return task?.trace;
  }

  it('is kept with the request, for its call, and stands in every line about it', async () => {
    const correlation = { incident: 'INC-7' };
    const answer = await intake
      .post('/v1/investigations', item(1, { correlation }))
      .set({ traceparent, tracestate })
      .expect(202);
    const { id } = answer.body as { id: string };
    assert.deepEqual(await traceKept(id), { traceparent, tracestate });
    const [line] = await linesWith('requestId', id, 1);
    const { msg, to, correlation: logged, traceId: own, machineId } = line ?? {};
    assert.deepEqual(
      { msg, to, logged, own, machineId },
      {
        msg: 'request accepted',
        to: 'queued',
        logged: correlation,
        own: traceId,
        machineId: item(1).machineId,
      },
    );
    assert.ok((await linesWith('traceId', traceId, 2)).some(({ msg: said }) => said === 'request answered'));

    const { body } = await intake.as('operator', 'delete', `/v1/investigations/${id}`);
    assert.equal((body as { status: string }).status, 'cancelled');
    const about = await linesWith('requestId', id, 3);
    assert.ok(about.some(({ msg: said }) => said === 'request cancelled'));
    const moved = about.find(({ msg: said }) => said === 'request moved');
    const { level, time, service, taskId, ...rest } = moved ?? {};
    assert.ok(level && time && service && taskId);
    assert.deepEqual(rest, {
      requestId: id,
      machineId: item(1).machineId,
      correlation,
      traceId,
      tenant: 'default',
      operation: 'initiateInvestigation',
      from: 'queued',
      to: 'cancelled',
      msg: 'request moved',
    });
  });

  it('is no part of the public document', async () => {
    const answer = await intake.post('/v1/investigations', item(2)).set({ traceparent }).expect(202);
    const { id } = answer.body as { id: string };
    await intake.as('playbook', 'patch', `/v1/investigations/${id}`, { priority: 'high' });
    assert.deepEqual(await traceKept(id), { traceparent }, 'a change does not lose it');
    const { body, text } = await intake.get(`/v1/investigations/${id}`);
    assert.equal((body as { id: string }).id, id);
    assert.ok(!text.includes(traceId) && !answer.text.includes(traceId));
  });

  it('is kept with every request of a batch, which has a line each at debug and one line at info', async () => {
    const requests = [item(3), { machineId: 'x', comment: 'bad' }, item(3)];
    const answer = await intake.post('/v1/batches', { requests }).set({ traceparent }).expect(202);
    const { id: batchId, items } = answer.body as { id: string; items: { id?: string }[] };
    const lines = await linesWith('batchId', batchId, 4);
    assert.deepEqual(
      lines.map(({ level, msg, index, requestId, outcome, traceId: own }) => [
        level,
        msg,
        index,
        requestId,
        outcome,
        own,
      ]),
      [
        ['info', 'batch accepted', undefined, undefined, undefined, traceId],
        ['debug', 'request accepted', 0, items[0]?.id, 'accepted', traceId],
        ['debug', 'request rejected', 1, undefined, 'rejected', traceId],
        ['debug', 'request accepted', 2, items[2]?.id, 'coalesced', traceId],
      ],
    );
    assert.deepEqual(await traceKept(items[0]?.id ?? ''), { traceparent });
  });

  it('is ignored when it is malformed, and the request is taken all the same', async () => {
    const malformed = `00-${traceId}-${'0'.repeat(16)}-01`;
    const answer = await intake
      .post('/v1/investigations', item(4))
      .set({ traceparent: malformed })
      .expect(202);
    const { id } = answer.body as { id: string };
    assert.equal(await traceKept(id), undefined);
    const [line] = await linesWith('requestId', id, 1);
    assert.ok(line && !('traceId' in line));
  });

  it('loses a tracestate that holds a credential, which would be kept and passed on', async () => {
    const token = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln';
    assert.ok(parseTraceContext(traceparent, `vendor=${token}`)?.tracestate, 'it is well-formed');
    const answer = await intake
      .post('/v1/investigations', item(5))
      .set({ traceparent, tracestate: `vendor=${token}` })
      .expect(202);
    assert.deepEqual(await traceKept((answer.body as { id: string }).id), { traceparent });
  });
});
