/** Notes what undoes a step. */
export type OnStop = (undo: () => Promise<unknown> | void) => void;

/**
 * Opens what has several parts. `stop` undoes the steps that were noted, the last one first; where `open` fails, those made
 * by then are undone.
 */
export async function openInSteps<T>(
  open: (onStop: OnStop, stop: () => Promise<void>) => Promise<T>,
): Promise<T> {
  const steps: Parameters<OnStop>[0][] = [];
  const stop = async () => {
    for (const undo of steps.splice(0).toReversed()) await undo();
  };
  try {
    return await open((undo) => steps.push(undo), stop);
  } catch (error) {
    await stop();
    throw error;
  }
}
