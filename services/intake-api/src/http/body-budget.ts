const megabyte = 1_024 * 1_024;

/**
 * A process of 512 MB has room for it, where every character takes two bytes: docs/performance.md. A caller may have one of
 * the largest bodies in hand, 64 MB with the values of 10,000 items, and less than all, so that it keeps no other out.
 */
export const bodyBudgetLimits = { processBytes: 80 * megabyte, callerBytes: 76 * megabyte };

export type BodyBudget = ReturnType<typeof createBodyBudget>;

export type BodyShare = ReturnType<BodyBudget['open']>;

interface Share {
  readonly caller: string;
  giveWay: () => void;
  taken: number;
}

/**
 * What the process has in hand of bodies, in bytes: of those being read, and of those whose request is not over, since
 * what was made of them and their answer are in memory until then. Counted as they arrive.
 */
export function createBodyBudget(limits = bodyBudgetLimits) {
  let inHand = 0;
  const byCaller = new Map<string, number>();
  /** Shares that give way to other callers: of bodies that have not arrived, and of answers that are not read. */
  const yielding = new Set<Share>();

  const of = (caller: string) => byCaller.get(caller) ?? 0;

  function change(share: Share, bytes: number): void {
    share.taken += bytes;
    inHand += bytes;
    const left = of(share.caller) + bytes;
    if (left === 0) byCaller.delete(share.caller);
    else byCaller.set(share.caller, left);
  }

  function release(share: Share): void {
    yielding.delete(share);
    change(share, -share.taken);
  }

  /** Largest first; `undefined` where those of callers who have more than this one will have are not enough. */
  function findSpare(bytes: number, asker: string): Share[] | undefined {
    let missing = inHand + bytes - limits.processBytes;
    const left = new Map(byCaller);
    const spare: Share[] = [];
    for (const share of [...yielding].toSorted((one, other) => other.taken - one.taken)) {
      if (missing <= 0) break;
      const { caller, taken } = share;
      const ofCaller = left.get(caller) ?? 0;
      if (caller === asker || ofCaller <= of(asker) + bytes) continue;
      left.set(caller, ofCaller - taken);
      missing -= taken;
      spare.push(share);
    }
    return missing <= 0 ? spare : undefined;
  }

  return {
    /**
     * What one request of this caller takes. `giveWay`: called, and all of it given back, where another caller needs the
     * room before the body has arrived.
     */
    open(caller: string, giveWay: () => void) {
      const own: Share = { caller, giveWay, taken: 0 };
      yielding.add(own);
      return {
        /**
         * `false`, and nothing taken, where the process or the caller has too many in hand. In the process, bodies that have
         * not arrived give way to those of a caller who has less: to announce one costs nothing, and sending it may take long.
         */
        take(bytes: number): boolean {
          if (of(caller) + bytes > limits.callerBytes) return false;
          const spare = inHand + bytes > limits.processBytes ? findSpare(bytes, caller) : [];
          if (!spare) return false;
          for (const share of spare) {
            release(share);
            share.giveWay();
          }
          change(own, bytes);
          return true;
        },
        /** From now on it gives way to none. */
        arrived: () => void yielding.delete(own),
        /** The answer is made and the body let go: from now on the bytes of the answer count, until it is sent. */
        answered(bytes: number): void {
          yielding.delete(own);
          change(own, bytes - own.taken);
        },
        /** The answer is not being read: from now on its room is given to a caller who has less, by ending the request. */
        unread(giveWayNow: () => void): void {
          own.giveWay = giveWayNow;
          yielding.add(own);
        },
        /** Gives all of it back; once is enough. */
        release: () => release(own),
      };
    },
  };
}
