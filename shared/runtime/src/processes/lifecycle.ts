import type { Logger } from '../logging/logger.ts';

export type Lifecycle = ReturnType<typeof createLifecycle>;

/**
 * What was opened, and how it is closed again; empty at first.
 *
 * @param deadlineMs how long closing may take in all
 */
export function createLifecycle({
  logger,
  deadlineMs,
}: {
  logger: Pick<Logger, 'info' | 'error'>;
  deadlineMs: number;
}) {
  const steps: { name: string; fn: () => unknown }[] = [];
  const abort = new AbortController();
  let closed: Promise<'clean' | 'timed_out'> | undefined;
  let drained = false;
  let current = '';

  async function drain(): Promise<'clean'> {
    for (let step = steps.pop(); step; step = steps.pop()) {
      current = step.name;
      try {
        await step.fn();
      } catch (error) {
        logger.error({ err: error, step: step.name }, 'could not close');
      }
    }
    drained = true;
    return 'clean';
  }

  async function closeWithin(reason: string): Promise<'clean' | 'timed_out'> {
    // Nothing opened, nothing to log: a service that refused its settings says only that.
    const anything = steps.length > 0;
    if (anything) logger.info({ reason }, 'closing');
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<'timed_out'>((resolve) => {
      timer = setTimeout(resolve, deadlineMs, 'timed_out');
    });
    const result = await Promise.race([drain(), deadline]);
    clearTimeout(timer);
    if (result === 'clean' && anything) logger.info('closed');
    if (result === 'timed_out') {
      logger.error({ step: current, left: steps.map((step) => step.name), deadlineMs }, 'closing timed out');
    }
    return result;
  }

  return {
    /**
     * Registers how something just opened is closed. Once closing has begun, `fn` is run right away, so that a part which
     * opened late is closed all the same.
     */
    onClose(name: string, fn: () => unknown): void {
      steps.push({ name, fn });
      if (drained) void drain();
    },
    /**
     * Closes everything, last opened first, one at a time; a step that fails is logged and does not keep the others
     * from closing. `timed_out` when the deadline came first. Asked again, gives the same answer.
     */
    close(reason: string): Promise<'clean' | 'timed_out'> {
      if (!closed) {
        // Set before the signal, so that a listener which calls close() again gets this same promise.
        closed = Promise.resolve().then(() => closeWithin(reason));
        abort.abort();
      }
      return closed;
    },
    /** Aborted as soon as closing begins. */
    closing: abort.signal,
  };
}
