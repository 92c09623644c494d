import assert from 'node:assert/strict';
import { waitFor } from '@diq/testing/wait-for.ts';
import { expectProblem } from '../test-support/expect-problem.ts';
import { useIntakeOnRedisCluster } from '../test-support/intake-on-redis-cluster.ts';
import { item } from '../test-support/items.ts';

const mebibyte = 1_024 * 1_024;

describe('an intake on a Redis Cluster of which one server is nearly full', function () {
  this.timeout(60_000);
  const suite = useIntakeOnRedisCluster();
  const { intake } = suite;

  const post = (operation: string, machine: number) =>
    intake.post('/v1/requests', { ...item(machine), operation });
  const memory = async () => {
    const { body } = await intake.anonymously().get('/readyz').expect(200);
    return (body as { checks: Record<string, string> }).checks['memory'];
  };

  it('takes new work of the queues on the others, refuses that of its own, and names those', async () => {
    const [, { client }] = suite.owners;
    // In a slot of its own: the queue's will be moved.
    const names = Array.from({ length: 50 }, (_, i) => `ballast-${i}`);
    const owners = await Promise.all(names.map(suite.cluster.ownerOf));
    await client.setrange(names[owners.indexOf(suite.owners[1])] ?? '', 50 * mebibyte, 'x');
    const used = Number(/used_memory:(\d+)/.exec(await client.info('memory'))?.[1]);
    await client.config('SET', 'maxmemory', String(Math.ceil(used / 0.9)));
    await waitFor(memory, { what: 'the memory of the second queue to be read' });
    expectProblem(await post('startInvestigation', 1), 'redis_full');
    await post('initiateInvestigation', 1).expect(202);
    assert.match((await memory()) ?? '', /^of default\/startInvestigation Redis uses \d+ % of its memory/);
    const isSeen = async () => {
      const { text } = await intake.anonymously().get('/metrics');
      return Number(/^diq_redis_memory_ratio (\S+)$/m.exec(text)?.[1]) > 0.8;
    };
    await waitFor(isSeen, { what: 'the metric to show the fullest server' });
  });

  it('takes it again when its slot is on another server', async () => {
    expectProblem(await post('startInvestigation', 1), 'redis_full');
    await suite.cluster.moveSlot(suite.keySpaces[1]);
    await waitFor(async () => (await memory()) === undefined, { what: 'the move to be seen' });
    await post('startInvestigation', 1).expect(202);
  });
});
