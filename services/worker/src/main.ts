import { connectionTrouble, type RedisConnection } from '@diq/redis/connection.ts';
import { listen } from '@diq/runtime/http-server/http-server.ts';
import { createOpsApp } from '@diq/runtime/http-server/ops-routes.ts';
import { runService } from '@diq/runtime/processes/run-service.ts';
import { openTracing } from '@diq/runtime/tracing/tracing.ts';
import { credentialFileIn, readWorkerConfig } from './config.ts';
import { credentialFaults } from './defender/auth/check-credential.ts';
import { createWorkerMetrics } from './observability/metrics.ts';
import { describeQueues } from './observability/ready-check.ts';
import { openWorker, type OpenWorker } from './bootstrap/open-worker.ts';

/** Supervisors commonly kill after 10 s; what kept a stop must have been said by then. */
const stopDeadlineMs = 9_500;
const takesWrites = 'takes writes';

await runService({
  name: 'worker',
  env: process.env,
  exit: (code) => process.exit(code),
  stopDeadlineMs,
  async start({ env, logger, lifecycle, fail }) {
    const config = readWorkerConfig(env, await credentialFaults(credentialFileIn(env)));
    if (config.proxy)
      logger.info({ proxy: config.proxy.origin }, 'Entra ID and Defender are reached by a proxy');
    const tracing = await openTracing(env, 'worker', logger);
    lifecycle.onClose('traces', () => tracing.close());
    const metrics = createWorkerMetrics();
    let worker: OpenWorker | undefined;
    let connecting: RedisConnection | undefined;

    const app = createOpsApp({
      registry: metrics.registry,
      ready: async () => {
        const redis = await describeRedis(worker, connecting);
        const { ok, checks } = describeQueues(worker?.queues() ?? [], {
          lastSignAtMs: worker?.lastSignAtMs() ?? 0,
          stallAfterMs: config.readyStallAfterMs,
        });
        return { ok: ok && redis === takesWrites, checks: { redis, ...checks } };
      },
    });
    const server = await listen(app, {
      logger,
      port: config.port,
      portSetting: 'WORKER_PORT',
      ...(config.host && { host: config.host }),
    });
    lifecycle.onClose('operations routes', () => server.close());

    const onConnecting = (redis: RedisConnection) => (connecting = redis);
    worker = await openWorker({ config, logger, lifecycle, metrics, tracing, fail, onConnecting });
    return { port: server.port };
  },
});

async function describeRedis(
  worker: OpenWorker | undefined,
  connecting: RedisConnection | undefined,
): Promise<string> {
  if (!worker) return (connecting && connectionTrouble(connecting)) ?? 'waited for';
  return worker.probeWrite().then(() => takesWrites, worker.describeTrouble);
}
