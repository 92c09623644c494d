import { z } from 'zod';
import { logLevel, port, readSettings } from '../settings/read-settings.ts';
import { runService } from './run-service.ts';
import { startValkey } from './start-valkey.ts';

const schema = z.object({ EMBEDDED_REDIS_PORT: port().prefault('0'), LOG_LEVEL: logLevel().default('info') });

await runService({
  name: 'embedded-redis',
  env: process.env,
  exit: (code) => process.exit(code),
  async start({ env, logger, lifecycle }) {
    const settings = readSettings(schema, env);
    const valkey = await startValkey(settings.EMBEDDED_REDIS_PORT);
    lifecycle.onClose('valkey', () => valkey.stop());
    logger.warn('embedded Valkey keeps nothing on disk: for demonstrations and tests only');
    return { port: valkey.port };
  },
});
