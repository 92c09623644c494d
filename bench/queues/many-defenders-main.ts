/**
 * Simulated Defenders, one for each tenant, in one process: each on a port of its own, with its own credential, quota and
 * records. Started by `many-defenders.ts`.
 */
import { createSimulator } from '../../services/defender-simulator/src/simulator.ts';
import type { DefendersPlan } from './many-defenders.ts';

const resultMs = 5_000;

process.on('message', (plan: DefendersPlan) => {
  void open(plan).then((origins) => process.send?.(origins));
});
process.once('disconnect', () => process.exit(0));
process.send?.('ready');

async function open({ tenants, clientSecret, certFile, keyFile, further }: DefendersPlan): Promise<string[]> {
  const origins: string[] = [];
  for (const { tenantId, clientId, limit, windowMs } of tenants) {
    const simulator = await createSimulator({
      port: 0,
      certFile,
      keyFile,
      tenantId,
      clientId,
      clientSecret,
      limit,
      windowMs,
      // Its machine actions have a limit per minute instead.
      actionsPerMinute: Math.ceil((limit * 60_000) / windowMs),
      // Over when results are read first: what is measured at rest is a time in which nothing is followed.
      investigationMs: resultMs,
      actionMs: resultMs,
      actionPendingMs: resultMs / 2,
      ...further,
    });
    origins.push(simulator.origin);
  }
  return origins;
}
