export class TimeoutError extends Error {
  override readonly name = 'TimeoutError';
}

/**
 * What `promise` brings, if it does so in time.
 *
 * @throws TimeoutError after `timeoutMs`; the work itself goes on, and a later failure of it is ignored.
 */
export async function within<T>(promise: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new TimeoutError(`no answer within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
