import type { RedisConnection } from '@diq/redis/connection.ts';
import { repeat } from '@diq/runtime/async/run-periodically.ts';
import type { Lifecycle } from '@diq/runtime/processes/lifecycle.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import { createRememberedTenants } from '@diq/tenants/remembered-tenants.ts';
import { watchTenants } from '@diq/tenants/watch-tenants.ts';
import type { IntakeSettings } from '../config/config.ts';
import type { QueueDirectory } from './queue-directory.ts';

interface WatchTenantsFileOptions {
  settings: Pick<IntakeSettings, 'tenants' | 'tenantsFile' | 'retentionMs'>;
  logger: Logger;
  lifecycle: Lifecycle;
}

/** A new tenant is noted within this time; who it was is needed only when it is gone. */
const rememberEveryMs = 10_000;

/** Hands the directory the tenants of the file as it changes, and those that it had earlier. Does nothing without a file. */
export function watchTenantsFile(
  { settings, logger, lifecycle }: WatchTenantsFileOptions,
  { directory, redis, onChange }: { directory: QueueDirectory; redis: RedisConnection; onChange: () => void },
): void {
  if (settings.tenantsFile === undefined) return;
  const known = createRememberedTenants(redis, settings.retentionMs);
  const meet = async () => {
    const present = directory.present();
    const earlier = await known.meet(present, Date.now());
    // The file may have changed meanwhile; then it is asked again.
    if (directory.present() === present) directory.setTenants(present, earlier);
  };
  const onFailure = (error: unknown) => logger.debug({ err: error }, 'tenants of earlier cannot be read');
  lifecycle.onClose('tenants of earlier', repeat(rememberEveryMs, meet, onFailure));
  const stop = watchTenants({
    path: settings.tenantsFile,
    tenants: settings.tenants,
    onChange(tenants) {
      directory.setTenants(tenants);
      onChange();
    },
    logger,
  });
  lifecycle.onClose('watch of the tenants', stop);
}
