import type { Response } from 'express';

/** Why a held request goes on: its time is over, someone released it, or its client left. */
export type HoldEnd = 'over' | 'released' | 'gone';

/** Requests that are kept waiting. */
export interface Holds {
  /** Waits for `ms`, or without end; never outlives the connection. */
  hold(res: Response, ms?: number): Promise<HoldEnd>;
  /** Lets all go on and says how many there were. */
  releaseAll(): number;
}

export function createHolds(): Holds {
  const held = new Set<(end: HoldEnd) => void>();
  return {
    hold(res, ms) {
      return new Promise((resolve) => {
        const end = (reason: HoldEnd) => {
          clearTimeout(timer);
          held.delete(end);
          res.off('close', onGone);
          resolve(reason);
        };
        const onGone = () => end('gone');
        const timer = ms === undefined ? undefined : setTimeout(() => end('over'), ms);
        held.add(end);
        res.on('close', onGone);
        if (res.closed) onGone();
      });
    },
    releaseAll() {
      const released = [...held];
      for (const end of released) end('released');
      return released.length;
    },
  };
}
