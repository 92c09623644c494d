import { runService } from '@diq/runtime/processes/run-service.ts';
import { openTracing } from '@diq/runtime/tracing/tracing.ts';
import { readIntakeSettings } from './config/config.ts';
import { openIntake } from './open-intake.ts';

await runService({
  name: 'intake-api',
  env: process.env,
  exit: (code) => process.exit(code),
  async start({ env, logger, lifecycle, fail }) {
    const settings = readIntakeSettings(env);
    if (settings.proxy) logger.info({ proxy: settings.proxy.origin }, 'hosts outside are reached by a proxy');
    const tracing = await openTracing(env, 'intake-api', logger);
    lifecycle.onClose('traces', () => tracing.close());
    return openIntake({ settings, logger, lifecycle, tracing, fail });
  },
});
