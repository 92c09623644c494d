/**
 * Does something only where it has not failed for a while: at first and after each failure, the times that fall within
 * `calmMs` are left out.
 */
export function afterCalm(
  calmMs: number,
  act: () => Promise<unknown>,
  nowMs: () => number = () => performance.now(),
): () => Promise<void> {
  let calmSinceMs: number | undefined;
  return async () => {
    calmSinceMs ??= nowMs();
    if (nowMs() - calmSinceMs < calmMs) return;
    try {
      await act();
    } catch (error) {
      calmSinceMs = undefined;
      throw error;
    }
  };
}
