/** Requests under way at once, of one caller in one tenant and of all: they hold connections and not much memory. */
const mostOfCaller = 20;
const mostOfAll = 100;

export type Places = ReturnType<typeof createPlaces>;

/**
 * The places of a process for requests that are passed on. A tenant gets one while it has fewer places than are free, however many
 * callers it has. So there is room for others: one tenant alone gets half of all places, two that want all get a third each.
 */
export function createPlaces() {
  const taken = new Map<string, number>();
  let all = 0;
  const of = (whose: string) => taken.get(whose) ?? 0;

  function change(whose: string, by: 1 | -1): void {
    const left = of(whose) + by;
    if (left === 0) taken.delete(whose);
    else taken.set(whose, left);
  }

  return {
    /** Gives a place, and how to give it back; `undefined` where the caller, its tenant or the process has too many. */
    take(caller: string, tenantId: string): (() => void) | undefined {
      // An application has the same name in each of its tenants.
      const ofCaller = `${tenantId} ${caller}`;
      if (of(ofCaller) >= mostOfCaller || of(tenantId) >= mostOfAll - all) return undefined;
      const changeAll = (by: 1 | -1): void => {
        all += by;
        change(tenantId, by);
        change(ofCaller, by);
      };
      changeAll(1);
      return () => changeAll(-1);
    },
  };
}
