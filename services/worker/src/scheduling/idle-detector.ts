/** Watches whether free slots are used. */
export interface ProgressWatch {
  /** Reports one poll: whether work was ready, a slot free and no hold on. `false` also when that is unknown. */
  saw(couldCall: boolean): void;
  /** A job was claimed. */
  moved(): void;
  /** For how long, by the latest poll, calls could have been made and nothing was claimed. In ms. */
  stalledForMs(): number;
}

/** @param onIdle gets the time between two polls at both of which a call could have been made, in seconds */
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
