import express, { type NextFunction, type Request, type Response, type Router } from 'express';
import { z } from 'zod';
import type { Arrival, ArrivalLog } from '../arrival-log.ts';
import type { CallLog } from '../defender/call-log.ts';
import type { Clock } from '../clock.ts';
import type { SimulatorSettings } from '../config.ts';
import type { TokenRequestDetails } from '../entra/entra-routes.ts';
import { signInSchema } from '../entra/sign-in-setup.ts';
import type { SignIns } from '../entra/sign-ins.ts';
import { faultSchema, type FaultPlan } from '../fault-plan.ts';
import type { Holds } from '../holds.ts';
import type { Investigations } from '../defender/investigations.ts';
import { judgeActions } from '../defender/action-judge.ts';
import { endStatuses, type MachineActions } from '../defender/machine-actions.ts';
import { machineSchema, type Machines } from '../defender/machines.ts';
import type { Quota } from '../defender/quota.ts';
import type { ReadDetails } from '../defender/read-routes.ts';
import { sameSecret, type Tokens } from '../tokens.ts';

export interface ControlDeps {
  clock: Clock;
  settings: SimulatorSettings;
  calls: CallLog;
  tokenRequests: ArrivalLog<TokenRequestDetails>;
  reads: ArrivalLog<ReadDetails>;
  faults: FaultPlan;
  holds: Holds;
  tokens: Tokens;
  signIns: SignIns;
  machines: Machines;
  investigations: Investigations;
  machineActions: MachineActions;
  quota: Quota;
}

const waitSchema = z.object({
  wait: z.coerce.number().int().min(0).default(0),
  timeoutMs: z.coerce.number().int().min(0).max(600_000).default(30_000),
});

const investigationSchema = z.strictObject({
  machineId: z.string(),
  startTime: z.iso.datetime({ offset: true }).optional(),
  state: z.string().min(1).optional(),
  actor: z.string().min(1).default('Another Analyst (analyst@example.com)'),
});

const actionSchema = z.strictObject({
  machineId: z.string(),
  type: z.string().min(1),
  scope: z.string().nullable().default(null),
  comment: z.string().default('By hand'),
  createdAt: z.iso.datetime({ offset: true }).optional(),
  status: z.string().min(1).optional(),
  requestor: z.string().min(1).default('analyst@example.com'),
});

const endSchema = z.strictObject({
  status: z.enum(endStatuses).default('Succeeded'),
  failedCommand: z.int().min(0).optional(),
});

const useSchema = z.strictObject({ calls: z.int().min(1).max(10_000) });

/** The side entrance for tests and operators of the simulator: what arrived, what shall go wrong. */
export function createControlRoutes(deps: ControlDeps): Router {
  const router = express.Router();
  router.get('/healthz', (_req, res) => void res.json({ status: 'ok' }));
  router.use(guard(deps.settings), express.json());
  addLogRoutes(router, deps);
  addFaultRoutes(router, deps);
  addWorldRoutes(router, deps);
  router.use((req, res) => problem(res, 404, 'not_found', `No control route ${req.method} ${req.path}`));
  router.use((error: Error & { status?: number }, _req: Request, res: Response, next: NextFunction) => {
    if (res.headersSent) return next(error);
    problem(res, error.status ?? 500, error.status === undefined ? 'internal' : 'bad_json', error.message);
  });
  return router;
}

function addLogRoutes(router: Router, { settings, calls, tokenRequests, reads }: ControlDeps): void {
  const { limit, windowMs, windowKind } = settings;
  addLogRoute(router, '/calls', calls, (entries) => {
    return { limit, windowMs, windowKind, calls: entries, ...calls.judge(windowMs) };
  });
  addLogRoute(router, '/token-requests', tokenRequests, (entries) => ({ tokenRequests: entries }));
  addLogRoute(router, '/reads', reads, (entries) => ({ reads: entries }));
}

function addLogRoute<Details extends object>(
  router: Router,
  path: string,
  log: ArrivalLog<Details>,
  show: (entries: readonly (Arrival & Details)[]) => object,
): void {
  const answer = async (req: Request, res: Response) => {
    const query = waitSchema.safeParse(req.query);
    if (!query.success) return invalid(res, query.error);
    const reached = await log.settled(query.data.wait, query.data.timeoutMs, closeSignal(res));
    if (!res.closed) res.json({ reached, ...show(log.entries()) });
  };
  router.get(path, (req, res) => answer(req, res));
  router.delete(path, (_req, res) => {
    log.clear();
    res.status(204).end();
  });
}

function addFaultRoutes(router: Router, { faults, holds }: ControlDeps): void {
  router.post('/faults', (req, res) => {
    const fault = faultSchema.safeParse(req.body);
    if (!fault.success) return invalid(res, fault.error);
    res.status(201).json({ id: faults.add(fault.data).id });
  });
  router.get('/faults', (_req, res) => void res.json({ faults: faults.list() }));
  router.delete('/faults', (_req, res) => {
    faults.clear();
    res.json({ released: holds.releaseAll() });
  });
}

function addWorldRoutes(router: Router, deps: ControlDeps): void {
  const { clock, settings, tokens, machines, investigations, machineActions, quota } = deps;
  const { limit, windowMs, windowKind } = settings;

  router.post('/tokens/revoke', (_req, res) => void res.json({ revoked: tokens.revokeAll() }));

  const setUpSignIn = async (req: Request, res: Response) => {
    const setup = signInSchema.safeParse(req.body);
    if (!setup.success) return invalid(res, setup.error);
    await deps.signIns.setUp(setup.data);
    res.status(204).end();
  };
  router.post('/sign-in', (req, res) => setUpSignIn(req, res));

  router.post('/investigations', (req, res) => {
    const order = investigationSchema.safeParse(req.body);
    if (!order.success) return invalid(res, order.error);
    const { machineId, startTime, actor, state } = order.data;
    const machine = machines.find(machineId);
    if (machine === undefined) return problem(res, 404, 'unknown_machine', `No machine ${machineId}`);
    const startedWallMs = startTime === undefined ? undefined : Date.parse(startTime);
    res.status(201).json(investigations.start({ machine, actor, startedWallMs, state, visibleAtOnce: true }));
  });
  router.get('/investigations', (_req, res) => {
    res.json({ investigations: investigations.list('all') });
  });

  router.post('/machines', (req, res) => {
    const record = machineSchema.safeParse(req.body);
    if (!record.success) return invalid(res, record.error);
    res.status(201).json(machines.add(record.data));
  });

  router.post('/machine-actions', (req, res) => {
    const order = actionSchema.safeParse(req.body);
    if (!order.success) return invalid(res, order.error);
    const { machineId, createdAt, ...action } = order.data;
    const machine = machines.find(machineId);
    if (machine === undefined) return problem(res, 404, 'unknown_machine', `No machine ${machineId}`);
    const createdWallMs = createdAt === undefined ? undefined : Date.parse(createdAt);
    res.status(201).json(machineActions.make({ ...action, machine, createdWallMs, visibleAtOnce: true }));
  });
  router.get('/machine-actions', (_req, res) => {
    res.json({ machineActions: machineActions.list('all') });
  });
  router.get('/machine-actions/judgement', (_req, res) => {
    res.json(judgeActions(machineActions.records()));
  });
  router.post('/machine-actions/:id/end', (req, res) => {
    const end = endSchema.safeParse(req.body);
    if (!end.success) return invalid(res, end.error);
    const ended = machineActions.end(req.params.id, end.data);
    if (ended === undefined) return problem(res, 404, 'unknown_action', `No action ${req.params.id}`);
    res.json(ended);
  });

  const quotaState = () => {
    const nowMs = clock.monotonicMs();
    return { limit, windowMs, windowKind, used: quota.used(nowMs), freeInMs: quota.retryAfterMs(nowMs) };
  };
  router.get('/quota', (_req, res) => void res.json(quotaState()));
  router.post('/quota/use', (req, res) => {
    const use = useSchema.safeParse(req.body);
    if (!use.success) return invalid(res, use.error);
    const nowMs = clock.monotonicMs();
    for (let call = 0; call < use.data.calls; call += 1) {
      if (settings.countRefused || quota.retryAfterMs(nowMs) === 0) quota.count(nowMs);
    }
    res.json(quotaState());
  });
  router.delete('/quota', (_req, res) => {
    quota.reset();
    res.json(quotaState());
  });
}

/** With a key: callers that send it. Without: callers on this machine. */
function guard({ controlKey }: SimulatorSettings) {
  return (req: Request, res: Response, next: NextFunction): void => {
    if (controlKey === undefined) {
      if (/^(::ffff:)?127\.|^::1$/.test(req.socket.remoteAddress ?? '')) return next();
      return problem(res, 403, 'loopback_only', 'Without SIMULATOR_CONTROL_KEY only loopback is served here');
    }
    if (sameSecret(req.get('x-control-key') ?? '', controlKey)) return next();
    problem(res, 401, 'control_key_required', 'The header X-Control-Key is missing or wrong');
  };
}

function closeSignal(res: Response): AbortSignal {
  const controller = new AbortController();
  res.on('close', () => controller.abort());
  return controller.signal;
}

function invalid(res: Response, error: z.ZodError): void {
  const faults = error.issues.map(({ path, message }) => `${path.join('.') || 'body'}: ${message}`);
  problem(res, 400, 'invalid', faults.join('; '));
}

function problem(res: Response, status: number, code: string, message: string): void {
  res.status(status).json({ error: { code, message } });
}
