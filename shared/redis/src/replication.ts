import type { Redis } from 'ioredis';
import { askOwner, slotOf } from './ask-owner.ts';
import { isCluster, type RedisConnection } from './connection.ts';

/** What was written may be on too few servers to survive the loss of one. It was carried out all the same. */
export class NotReplicatedError extends Error {
  override readonly name = 'NotReplicatedError';
}

/** Writes that are to be on replicas before they count. */
export interface ReplicatedWrites {
  /**
   * Resolves when as many replicas as are asked for have all that was written since, by commands whose replies are in.
   *
   * @throws NotReplicatedError when they have not within the time, or it cannot be known: the connection broke, or the keys
   * are another server's by now
   */
  confirmed(): Promise<void>;
}

export type Replication = ReturnType<typeof createReplication>;

/** Shorter than a command on a connection that fails fast may take. */
const waitMs = 1_000;

const nothingToWaitFor: ReplicatedWrites = { confirmed: () => Promise.resolve() };

/**
 * Waits for replicas (`WAIT`) of the server that holds a key space, on the connection that writes: only there does Redis know
 * which writes are meant.
 *
 * @param redis a connection that fails fast and never sends a command twice; while replicas lag, commands behind a `WAIT`
 * on it wait as well
 * @param replicas 0: nothing is waited for
 */
export function createReplication(redis: RedisConnection, keySpace: string, replicas: number) {
  const slot = slotOf(keySpace);
  let isBehind = false;
  let running: Promise<void> | undefined;
  let following: Promise<void> | undefined;

  async function ask(): Promise<void> {
    const reached = Number(await askOwner(redis, keySpace, 'wait', String(replicas), String(waitMs)));
    isBehind = reached < replicas;
    if (isBehind)
      throw new NotReplicatedError(
        `${reached} of ${replicas} replicas have what was written, after ${waitMs} ms`,
      );
  }

  /** One `WAIT` at a time: all that came while it was out share the next one. */
  function wait(): Promise<void> {
    if (running) {
      const sendNext = () => {
        following = undefined;
        return send();
      };
      following ??= running.then(sendNext, sendNext);
      return following;
    }
    return send();
  }

  function send(): Promise<void> {
    const asked = ask().finally(() => {
      if (running === asked) running = undefined;
    });
    running = asked;
    return asked;
  }

  function mark(): ReplicatedWrites {
    if (replicas === 0) return nothingToWaitFor;
    const socket = socketTo(redis, slot);
    return {
      async confirmed() {
        await wait();
        // Another connection knows nothing of what was written on this one, and would say at once that all is well.
        if (socket === undefined || socketTo(redis, slot) !== socket)
          throw new NotReplicatedError('the connection broke before the replicas had what was written');
      },
    };
  }

  async function begin(): Promise<ReplicatedWrites> {
    if (isBehind) await wait();
    return mark();
  }

  return {
    /**
     * To be called before the first of the writes.
     *
     * @throws NotReplicatedError where replicas were behind a moment ago and still are: nothing should be written
     */
    begin,
    /** The same for writes that undo others: they are made also while replicas are behind. */
    mark,
    /** Carries out writes and waits for them, as `begin` and `confirmed` do. */
    async replicated<T>(write: () => Promise<T>): Promise<T> {
      const writes = await begin();
      const result = await write();
      await writes.confirmed();
      return result;
    },
  };
}

/** The socket on which commands for a slot go out now. */
function socketTo(redis: RedisConnection, slot: number): Redis['stream'] | undefined {
  if (!isCluster(redis)) return redis.stream;
  const [owner] = redis.slots[slot] ?? [];
  return redis.nodes('master').find(({ options }) => `${options.host}:${options.port}` === owner)?.stream;
}
