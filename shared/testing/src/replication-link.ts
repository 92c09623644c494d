import type { Redis } from 'ioredis';
import { replicationField } from './redis-access.ts';
import { waitFor } from './wait-for.ts';

/** Resolves when the replica has all that its primary has by now. */
export async function untilReplicated(primary: Redis, replica: Redis): Promise<void> {
  const wanted = Number(await replicationField(primary, 'master_repl_offset'));
  const isThere = async () =>
    (await replicationField(replica, 'master_link_status')) === 'up' &&
    Number(await replicationField(replica, 'slave_repl_offset')) >= wanted;
  await waitFor(isThere, { what: 'the replica to have followed', timeoutMs: 30_000 });
}

/** From now on the replica gets nothing from its primary. Resolves to what gives it the link back. */
export async function cutReplication(replica: Redis): Promise<() => Promise<void>> {
  const [, given = ''] = await replica.config('GET', 'masterauth');
  // It cannot come back, since its password is refused. Of the cluster and of the sentinels it stays a part.
  await replica.config('SET', 'masterauth', `not-${given}`);
  await replica.client('KILL', 'TYPE', 'MASTER');
  return async () => {
    await replica.config('SET', 'masterauth', given);
  };
}
