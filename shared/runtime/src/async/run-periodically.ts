/**
 * Does something over and over, with a pause after each time. A failure is reported and does not end it.
 *
 * @returns what ends it and waits for the time that is under way
 */
export function repeat(
  pauseMs: number,
  act: () => Promise<unknown>,
  onError: (error: unknown) => void,
): () => Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;
  let underWay = once();

  async function once(): Promise<void> {
    await act().catch(onError);
    if (isOver) return;
    timer = setTimeout(() => {
      underWay = once();
    }, pauseMs);
  }

  return async () => {
    isOver = true;
    clearTimeout(timer);
    await underWay;
  };
}
