import express, { type Request, type Response, type Router } from 'express';
import type { ArrivalLog } from '../arrival-log.ts';
import type { Clock } from '../clock.ts';
import type { SimulatorSettings } from '../config.ts';
import { errorReply, quotaMessage, usualReply } from './defender-reply.ts';
import type { Deliver } from '../deliver.ts';
import type { FaultPlan } from '../fault-plan.ts';
import { createQuota, type Quota } from './quota.ts';
import { createReadings, type Reading, type ReadingDeps } from './readings.ts';
import { sendReply, type Reply } from '../reply.ts';
import type { Tokens } from '../tokens.ts';

export interface ReadDetails {
  /** Name of the route: `listInvestigations`, `getInvestigation`, … */
  read: string;
  /** Path and query as sent. */
  url: string;
}

export interface ReadDeps extends ReadingDeps {
  clock: Clock;
  tokens: Tokens;
  faults: FaultPlan;
  deliver: Deliver;
  log: ArrivalLog<ReadDetails>;
}

interface ReadQuota {
  limit: number;
  windowMs: number;
  quota: Quota;
}

/** The reads of investigations, alerts and machines. Each route has a quota of its own per minute and per hour. */
export function createReadRoutes(deps: ReadDeps): Router {
  const router = express.Router();
  for (const route of createReadings(deps)) {
    const quotas = readQuotas(deps.settings, route);
    router.get(route.path, (req, res) => answerRead(deps, route, quotas, req, res));
    router.all(route.path, (_req, res) => {
      res.writeHead(405, { Allow: 'GET', 'Content-Length': '0' }).end();
    });
  }
  return router;
}

async function answerRead(
  { clock, tokens, faults, deliver, log }: ReadDeps,
  route: Reading,
  quotas: readonly ReadQuota[],
  req: Request,
  res: Response,
): Promise<void> {
  const entry = log.arrived({ read: route.name, url: req.originalUrl });
  const refuse = (reply: Reply) => {
    log.settle(entry, reply.status);
    sendReply(req, res, reply);
  };
  const check = tokens.check(req.get('authorization'));
  if (check.kind === 'refused') {
    return refuse(
      errorReply(401, 'Unauthorized', `Unauthorized request - reason of failure: ${check.reason}`),
    );
  }
  const throttled = takeRead(quotas, clock.monotonicMs());
  if (throttled !== undefined) return refuse(throttled);

  const id = String(req.params['id'] ?? '');
  const machineId = machineOf(route.name, id, req);
  const action = faults.next('read', { read: route.name, ...(machineId === undefined ? {} : { machineId }) });
  await deliver(req, res, action, {
    perform: () => route.answer(req, id),
    failure: usualReply,
    decided: (status) => log.settle(entry, status),
  });
}

function readQuotas(
  { readsPerMinute, readsPerHour }: SimulatorSettings,
  { limits = { perMinute: readsPerMinute, perHour: readsPerHour } }: Reading,
): ReadQuota[] {
  const rules = [
    { limit: limits.perMinute, windowMs: 60_000 },
    { limit: limits.perHour, windowMs: 3_600_000 },
  ];
  return rules.map((rule) => ({ ...rule, quota: createQuota({ ...rule, kind: 'rolling' }) }));
}

/** Counts a read, or gives the refusal of the quota that is used up. Refused reads do not count. */
function takeRead(quotas: readonly ReadQuota[], atMs: number): Reply | undefined {
  for (const { limit, windowMs, quota } of quotas) {
    const retryAfterMs = quota.retryAfterMs(atMs);
    if (retryAfterMs > 0) {
      const headers = { 'Retry-After': String(Math.ceil(retryAfterMs / 1000)) };
      return errorReply(429, '429', quotaMessage(limit, windowMs), headers);
    }
  }
  for (const { quota } of quotas) quota.count(atMs);
  return undefined;
}

/** The machine that a read is about, as far as its address names one. */
function machineOf(name: string, id: string, req: Request): string | undefined {
  if (name === 'getMachine' || name === 'listMachineAlerts') return id;
  const filter = req.query['$filter'];
  return typeof filter === 'string' ? /\bmachineId eq '([^']*)'/.exec(filter)?.[1] : undefined;
}
