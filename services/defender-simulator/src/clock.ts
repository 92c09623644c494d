/** The two clocks that the simulator reads: one for counting, one for writing times down. */
export interface Clock {
  /** Milliseconds with fractions since an arbitrary origin; never jumps. */
  monotonicMs(): number;
  /** Milliseconds since 1970, as the machine believes. */
  wallMs(): number;
}

export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
};
