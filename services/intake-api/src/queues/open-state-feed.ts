import type { RedisConnection } from '@diq/redis/connection.ts';
import { createNewestFailures } from '@diq/queue/operations/recent-failures.ts';
import { createQueueFigures } from '@diq/queue/operations/queue-figures.ts';
import { createLedgerHistory } from '@diq/quota/ledger/ledger-keys.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import type { Queue } from '@diq/tenants/tenant.ts';
import type { IntakeSettings } from '../config/config.ts';
import type { QueueDependencies } from '../dependencies.ts';
import { createReadStateDocument } from '../live-state/read-state-document.ts';
import { createStateFeed } from '../live-state/state-feed.ts';

/** What the status page is fed by, for one queue. */
export function openStateFeed({
  queue: own,
  settings,
  redis,
  actions,
  readState,
  nextCalls,
  logger,
}: {
  queue: Queue;
  settings: IntakeSettings;
  redis: RedisConnection;
  actions: Pick<QueueDependencies['actions'], 'pause'>;
  readState: QueueDependencies['readState'];
  nextCalls: QueueDependencies['nextCalls'];
  logger: Logger;
}) {
  const { keySpace } = own;
  const figures = createQueueFigures(redis, keySpace);
  const history = createLedgerHistory(redis, keySpace);
  return createStateFeed({
    readState,
    readDocument: createReadStateDocument({
      queue: own,
      findPause: () => actions.pause.find(),
      readFigures: () => figures.read(),
      nextCalls: async (limit) => (await nextCalls(limit)).value,
      newestFailures: createNewestFailures(redis, keySpace, settings.retentionMs),
      callsSince: (fromMs, limit) => history.since(fromMs, limit),
    }),
    // Callers have no names there.
    ...(settings.auth.kind === 'off' ? { maxListenersOfCaller: Infinity } : {}),
    onError: (error) => logger.debug({ err: error }, 'the state cannot be read for the event stream'),
  });
}
