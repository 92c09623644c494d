import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { createLedgerHistory, ledgerKeys } from './ledger-keys.ts';
import { call, hourMs, keySpace, started, useLedger } from '../test-support/use-ledger.ts';

const keys = ledgerKeys(keySpace);

describe('ledger: history', () => {
  const redis = useEmbeddedRedis();
  const suite = useLedger(redis);
  const idsOf = (calls: { callId: string }[]) => calls.map(({ callId }) => callId);

  it('lists calls newest first, with their outcomes, also when their permits are back', async () => {
    await suite.granted(call(1));
    await suite.granted(call(2));
    await suite.ledger.recordAnswer('call-1', started);
    const { nowMs } = await suite.ledger.snapshot();
    await redis.client.zadd(keys.calls, nowMs - 5 * hourMs, 'call-1');
    const found = await createLedgerHistory(redis.client, keySpace).since(nowMs - 24 * hourMs, 10);
    assert.deepEqual(
      found.map(({ callId, outcome }) => [callId, outcome]),
      [
        ['call-2', 'in_flight'],
        ['call-1', 'started'],
      ],
    );
  });

  it('lists no call that counts from before, and no more than were asked for', async () => {
    const many = Array.from({ length: 600 }, (_, i) => `past-${String(i).padStart(3, '0')}`);
    for (const [i, callId] of many.entries()) {
      await redis.client.zadd(keys.calls, 1_000 + i, callId);
      await redis.client.hset(
        keys.entries,
        callId,
        JSON.stringify({ ...call(1), callId, spentAt: i, outcome: 'started' }),
      );
    }
    await redis.client.hset(keys.entries, 'past-599', 'nonsense');
    const history = createLedgerHistory(redis.client, keySpace);
    assert.deepEqual(idsOf(await history.since(1_597, 10)), ['past-598', 'past-597']);
    assert.deepEqual(idsOf(await history.since(0, 600)), many.slice(0, -1).toReversed());
  });
});
