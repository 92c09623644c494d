/* oxlint-disable node/no-process-env, unicorn/no-process-exit -- the main file of a service that exists for the tests */
import { z } from 'zod';
import { listen } from '../../http-server/http-server.ts';
import { port, positiveInt, readSettings } from '../../settings/read-settings.ts';
import { runService } from '../run-service.ts';

const schema = z.object({
  SAMPLE_PORT: port(),
  SAMPLE_WORKERS: positiveInt(),
  SAMPLE_MODE: z.enum(['good', 'fails', 'hangs', 'rejects', 'never-ready']).default('good'),
});

await runService({
  name: 'sample',
  env: process.env,
  exit: (code) => process.exit(code),
  stopDeadlineMs: process.env['SAMPLE_MODE'] === 'hangs' ? 60_000 : 5_000,
  repeatedSignalMs: 0,
  async start({ env, logger, lifecycle }) {
    const settings = readSettings(schema, env);
    logger.info({ names: Object.keys(env) }, 'environment');
    if (settings.SAMPLE_MODE === 'fails') throw new Error('the sample does not want to');
    const server = await listen((_request, response) => response.end('hello'), {
      port: 0,
      host: '127.0.0.1',
    });
    lifecycle.onClose('http', () => server.close());
    if (settings.SAMPLE_MODE === 'hangs') lifecycle.onClose('stuck', () => new Promise(() => undefined));
    if (settings.SAMPLE_MODE === 'rejects') setImmediate(() => void Promise.reject(new Error('no handler')));
    if (settings.SAMPLE_MODE === 'never-ready') await new Promise(() => undefined);
    return { port: server.port, colour: 'green' };
  },
});
