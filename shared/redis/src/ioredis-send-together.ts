import type { Redis } from 'ioredis';

/**
 * What is written to the socket in one turn of the event loop goes out as one piece. With many callers at a time that is
 * fewer system calls here, and in Redis fewer writes to its file: what it reads as one piece it makes safe as one.
 */
export function sendTogether(stream: Redis['stream']): void {
  const write = stream.write.bind(stream) as (...args: unknown[]) => boolean;
  let isHeld = false;
  stream.write = (...args: unknown[]) => {
    if (!isHeld) {
      isHeld = true;
      stream.cork();
      setImmediate(() => {
        isHeld = false;
        stream.uncork();
      });
    }
    return write(...args);
  };
}
