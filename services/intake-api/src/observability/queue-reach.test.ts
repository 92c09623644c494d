import { waitFor } from '@diq/testing/wait-for.ts';
import { useIntakeOnRedisCluster } from '../test-support/intake-on-redis-cluster.ts';

describe('readiness of an intake on a Redis Cluster', function () {
  this.timeout(60_000);
  const suite = useIntakeOnRedisCluster();

  it('names the queues of a server that is lost by tenant and operation, and stays', async () => {
    const { cluster, intake, owners } = suite;
    const lost = cluster.shards.find((shard) => shard.includes(owners[1])) ?? [];
    await Promise.all(lost.map(({ server }) => server.kill()));
    const isSaid = async () => {
      const { body } = await intake.anonymously().get('/readyz').expect(200);
      const { queues = '' } = (body as { checks: Record<string, string> }).checks;
      return queues.startsWith('of default/startInvestigation Redis ');
    };
    await waitFor(isSaid, { what: 'the queue of the server that was lost' });
  });
});
