import type { Redis } from 'ioredis';
import { askOwner, serverOf, slotOf } from './ask-owner.ts';
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
/**
 * For a second after a wait in vain: enough to see that they follow again. Whole waits one after another would leave the
 * connection no time for anything else, and all that is sent on it would time out.
 */
const shortWaitMs = 20;

const nothingToWaitFor: ReplicatedWrites = { confirmed: () => Promise.resolve() };

/**
 * Waits for replicas (`WAIT`) of the server that holds a key space, on the connection that writes: only there does Redis know
 * which writes are meant. All key spaces of that server share what is waited for.
 *
 * @param redis a connection that fails fast and never sends a command twice; while replicas lag, commands behind a `WAIT`
 * on it wait as well
 * @param replicas 0: nothing is waited for
 */
export function createReplication(redis: RedisConnection, keySpace: string, replicas: number) {
  const slot = slotOf(keySpace);
  const replicasNow = () => replicasOf(redis, serverOf(redis, keySpace), replicas);

  function mark(): ReplicatedWrites {
    if (replicas === 0) return nothingToWaitFor;
    const socket = socketTo(redis, slot);
    return {
      async confirmed() {
        await replicasNow().wait(keySpace);
        // Another connection knows nothing of what was written on this one, and would say at once that all is well.
        if (socket === undefined || socketTo(redis, slot) !== socket)
          throw new NotReplicatedError('the connection broke before the replicas had what was written');
      },
    };
  }

  async function begin(): Promise<ReplicatedWrites> {
    const { isBehind, wait } = replicasNow();
    if (isBehind()) await wait(keySpace);
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

const known = new WeakMap<RedisConnection, Map<string, ReplicasOfServer>>();

type ReplicasOfServer = ReturnType<typeof createReplicasOfServer>;

/** Those that were asked for on this connection before, if any were. */
function replicasOf(redis: RedisConnection, server: string, replicas: number): ReplicasOfServer {
  const ofConnection = known.get(redis) ?? new Map<string, ReplicasOfServer>();
  known.set(redis, ofConnection);
  const name = `${replicas} ${server}`;
  const found = ofConnection.get(name) ?? createReplicasOfServer(redis, server, replicas);
  ofConnection.set(name, found);
  return found;
}

/**
 * One `WAIT` at a time, however many queues wait: while replicas lag each keeps all commands behind it waiting, for a second
 * at most every other second. All that came while one was out share the next one.
 */
function createReplicasOfServer(redis: RedisConnection, server: string, replicas: number) {
  let isBehind = false;
  let waitedInVainAtMs = -Infinity;
  let running: Promise<void> | undefined;
  let following: Promise<void> | undefined;

  async function ask(keySpace: string): Promise<void> {
    if (serverOf(redis, keySpace) !== server)
      throw new NotReplicatedError('the keys were moved before the replicas had what was written');
    const isShort = performance.now() - waitedInVainAtMs < waitMs;
    const forMs = isShort ? shortWaitMs : waitMs;
    const reached = Number(await askOwner(redis, keySpace, 'wait', String(replicas), String(forMs)));
    isBehind = reached < replicas;
    if (!isBehind) return;
    if (!isShort) waitedInVainAtMs = performance.now();
    throw new NotReplicatedError(`${reached} of ${replicas} replicas have what was written`);
  }

  function send(keySpace: string): Promise<void> {
    const asked = ask(keySpace).finally(() => {
      if (running === asked) running = undefined;
    });
    running = asked;
    return asked;
  }

  return {
    /** Whether they were at the last answer. */
    isBehind: () => isBehind,
    /** @param keySpace one that the server holds  @throws NotReplicatedError */
    wait(keySpace: string): Promise<void> {
      if (!running) return send(keySpace);
      const sendNext = () => {
        following = undefined;
        return send(keySpace);
      };
      following ??= running.then(sendNext, sendNext);
      return following;
    },
  };
}

/** The socket on which commands for a slot go out now. */
function socketTo(redis: RedisConnection, slot: number): Redis['stream'] | undefined {
  if (!isCluster(redis)) return redis.stream;
  const [owner] = redis.slots[slot] ?? [];
  return redis.nodes('master').find(({ options }) => `${options.host}:${options.port}` === owner)?.stream;
}
