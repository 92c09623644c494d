import { createLogger } from '@diq/runtime/logging/logger.ts';

/** The real logger, writing to memory. */
export function captureLog() {
  const lines: string[] = [];
  const logger = createLogger({
    level: 'trace',
    service: 'worker',
    destination: { write: (line: string) => void lines.push(line) },
  });
  return { logger, lines };
}
