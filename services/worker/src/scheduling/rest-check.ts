import { storeKeys } from '@diq/queue/store-keys.ts';
import { ledgerKeys } from '@diq/quota/ledger/ledger-keys.ts';
import { isCluster, type RedisConnection } from '@diq/redis/connection.ts';

/** A queue that is left alone. */
export interface QueueAtRest {
  readonly keySpace: string;
  /** It is known to have a ledger. */
  readonly hasLedger: boolean;
  /** The next read of a result brings its next look: results are no work now. */
  readonly awaitsResult: boolean;
}

/** What is found of queues that are left alone. */
export interface RestFound<Q> {
  /** Those that are not to be. */
  withWork: Q[];
  /** Why some could not be asked about: of a Redis Cluster a server is away. */
  error?: unknown;
}

/**
 * Of queues that are left alone, those that are not to be: something waits, is under way, is to be looked up or followed, or a ledger is
 * gone. As a rule there is none, which two commands tell of all of them; on a Redis Cluster one of each, because a command
 * names keys of one server only.
 */
export function createRestCheck(redis: RedisConnection) {
  async function isAtRest(queue: QueueAtRest): Promise<boolean> {
    const { keySpace, hasLedger } = queue;
    const work = workKeys(queue);
    // A key that is named several times is counted as often: so one number shows both.
    const ledger = hasLedger ? work.concat('').map(() => ledgerKeys(keySpace).generation) : [];
    return (await redis.exists(...work, ...ledger)) === ledger.length;
  }

  async function areAllAtRest(queues: readonly QueueAtRest[]): Promise<boolean> {
    const known = queues.filter(({ hasLedger }) => hasLedger);
    const ledgers = known.map(({ keySpace }) => ledgerKeys(keySpace).generation);
    const [work, found] = await Promise.all([
      redis.exists(...queues.flatMap(workKeys)),
      ledgers.length > 0 ? redis.exists(...ledgers) : 0,
    ]);
    return work === 0 && found === ledgers.length;
  }

  return async <Q extends QueueAtRest>(queues: readonly Q[]): Promise<RestFound<Q>> => {
    if (queues.length > 1 && !isCluster(redis) && (await areAllAtRest(queues))) return { withWork: [] };
    const answers = await Promise.allSettled(queues.map(isAtRest));
    const failed = answers.find((answer) => answer.status === 'rejected');
    const withWork = queues.filter((_, i) => {
      const answer = answers[i];
      return answer?.status === 'fulfilled' && !answer.value;
    });
    return { withWork, ...(failed && { error: failed.reason as unknown }) };
  };
}

function workKeys({ keySpace, awaitsResult }: QueueAtRest): string[] {
  const { waiting, inFlight, reconciling, results, jobOrder } = storeKeys(keySpace);
  return [waiting, inFlight, reconciling, jobOrder, ...(awaitsResult ? [] : [results])];
}
