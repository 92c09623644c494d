/** Watches whether free slots are used. */
export interface ProgressWatch {
  /** A look at the queue: whether work was ready, a slot free and no hold on. `false` also where nobody can say. */
  saw(couldCall: boolean): void;
  /** A job was claimed. */
  moved(): void;
  /** For how long, by the latest look, calls could have been made and nothing moved. In ms. */
  stalledForMs(): number;
}

/** @param onIdle told of the time between two looks at both of which a call could have been made, in seconds */
export function createProgressWatch(
  onIdle: (seconds: number) => void,
  nowMs: () => number = () => performance.now(),
): ProgressWatch {
  let stalledSinceMs: number | undefined;
  let lastIdleLookMs: number | undefined;

  return {
    saw(couldCall) {
      const seenAtMs = nowMs();
      if (couldCall && lastIdleLookMs !== undefined) onIdle((seenAtMs - lastIdleLookMs) / 1_000);
      lastIdleLookMs = couldCall ? seenAtMs : undefined;
      stalledSinceMs = couldCall ? (stalledSinceMs ?? seenAtMs) : undefined;
    },
    moved() {
      lastIdleLookMs = undefined;
      stalledSinceMs = undefined;
    },
    stalledForMs: () => (stalledSinceMs === undefined ? 0 : nowMs() - stalledSinceMs),
  };
}
