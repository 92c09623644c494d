/**
 * What the process has in hand of bodies, in bytes: of those being read, and of those whose request is not over, since
 * what was made of them and their answer are in memory until then. Counted as they arrive.
 */
export interface BodyBudget {
  /** What one request of this caller takes. */
  open(caller: string): BodyShare;
}

export interface BodyShare {
  /** `false`, and nothing taken, where the process or the caller has too many in hand. */
  take(bytes: number): boolean;
  /** Gives all of it back; once is enough. */
  release(): void;
}

export interface BodyBudgetLimits {
  readonly processBytes: number;
  /** Less than all, so that no caller can keep the others out. */
  readonly callerBytes: number;
}

const megabyte = 1_024 * 1_024;

/**
 * A process of 512 MB has room for it, where every character takes two bytes: docs/performance.md. A caller may have one of
 * the largest bodies in hand, 64 MB with the values of 10,000 items.
 */
export const bodyBudgetLimits: BodyBudgetLimits = { processBytes: 80 * megabyte, callerBytes: 76 * megabyte };

export function createBodyBudget(limits: BodyBudgetLimits = bodyBudgetLimits): BodyBudget {
  let inHand = 0;
  const byCaller = new Map<string, number>();

  function change(caller: string, bytes: number): void {
    inHand += bytes;
    const left = (byCaller.get(caller) ?? 0) + bytes;
    if (left === 0) byCaller.delete(caller);
    else byCaller.set(caller, left);
  }

  return {
    open(caller) {
      let taken = 0;
      return {
        take(bytes) {
          const ofCaller = byCaller.get(caller) ?? 0;
          if (inHand + bytes > limits.processBytes || ofCaller + bytes > limits.callerBytes) return false;
          change(caller, bytes);
          taken += bytes;
          return true;
        },
        release() {
          change(caller, -taken);
          taken = 0;
        },
      };
    },
  };
}
