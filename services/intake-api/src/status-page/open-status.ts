import type { RedisConnection } from '@diq/redis/connection.ts';
import { createNewestFailures } from '@diq/queue/operations/recent-failures.ts';
import { createQueueSampling } from '@diq/queue/operations/sample-queue.ts';
import { createLedgerHistory } from '@diq/quota/ledger/ledger-keys.ts';
import type { Lifecycle } from '@diq/runtime/processes/lifecycle.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import type { ApiKey } from '../config/callers.ts';
import type { Dependencies } from '../dependencies.ts';
import type { IntakeSettings } from '../config/config.ts';
import { createSessionStore } from '../auth/session-store.ts';
import { createReadStateDocument } from '../live-state/read-state-document.ts';
import { createStateFeed } from '../live-state/state-feed.ts';

interface OpenStatusOptions {
  settings: IntakeSettings;
  redis: RedisConnection;
  /** The API keys of the moment. */
  keys: () => readonly ApiKey[];
  onKeysChanged: (listener: () => void) => void;
  actions: Pick<Dependencies['actions'], 'pause'>;
  readState: Dependencies['readState'];
  logger: Logger;
  lifecycle: Lifecycle;
}

/** Opens what the status page is fed by. It ends with the first sign of closing: listeners keep the HTTP server open. */
export function openStatus(options: OpenStatusOptions): Pick<Dependencies, 'sessions' | 'stateFeed'> {
  const { settings, redis, actions, logger, lifecycle } = options;
  const { keySpace, operation, retentionMs } = settings;
  const queue = createQueueSampling(redis, keySpace);
  const history = createLedgerHistory(redis, keySpace);
  const stateFeed = createStateFeed({
    readState: options.readState,
    readDocument: createReadStateDocument({
      operation,
      findPause: () => actions.pause.find(),
      sampleQueue: () => queue.sample(),
      newestFailures: createNewestFailures(redis, keySpace, retentionMs),
      callsSince: (fromMs, limit) => history.since(fromMs, limit),
    }),
    // Callers have no names there.
    ...(settings.auth.kind === 'off' ? { maxListenersOfCaller: Infinity } : {}),
    onError: (error) => logger.debug({ err: error }, 'the state cannot be read for the event stream'),
  });
  // A stream of a removed key ends.
  options.onKeysChanged(() => stateFeed.endAll());
  lifecycle.closing.addEventListener('abort', () => stateFeed.close(), { once: true });
  return {
    sessions:
      settings.auth.kind === 'off' ? undefined : createSessionStore({ redis, keySpace, keys: options.keys }),
    stateFeed,
  };
}
