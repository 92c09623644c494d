import express, { type Request, type Response, type Router } from 'express';
import type { CallLog, LoggedCall } from './call-log.ts';
import type { Clock } from '../clock.ts';
import type { SimulatorSettings } from '../config.ts';
import { errorReply, missingRole, quotaMessage, usualReply } from './defender-reply.ts';
import type { Deliver } from '../deliver.ts';
import type { FaultAction, FaultPlan } from '../fault-plan.ts';
import type { Machine, Machines } from './machines.ts';
import type { Quota } from './quota.ts';
import { sendReply, requestOrigin, type Reply } from '../reply.ts';
import type { TokenHolder, Tokens } from '../tokens.ts';

export interface CallDeps {
  clock: Clock;
  settings: SimulatorSettings;
  tokens: Tokens;
  machines: Machines;
  faults: FaultPlan;
  deliver: Deliver;
  log: CallLog;
}

/** What a call that passed all checks asks for. */
export interface Asked {
  machine: Machine;
  holder: TokenHolder;
  comment: string;
  /** The other keys of the body, all of them as the operation wants them. */
  fields: Readonly<Record<string, unknown>>;
  /** What a scripted fault says of a call while one runs; else the settings do. */
  onRunning?: SimulatorSettings['onRunning'];
  /** Of the server, as the client named it. */
  origin: string;
}

/** Whether the value of a key is as wanted: `undefined`, or the code of the refusal. */
export type FieldCheck = (value: unknown) => string | undefined;

/** An operation on a machine, and what it is judged by. */
export interface MachineCall {
  /** Behind `/machines/{id}/`. */
  operation: string;
  /** The application role without which it is refused. */
  role: string;
  /** All of them hold at once. */
  quotas: readonly CallQuota[];
  /** Keys of the body beside `Comment`, all of them mandatory. */
  fields: Readonly<Record<string, FieldCheck>>;
  perform(asked: Asked, call: LoggedCall): Reply;
}

export interface CallQuota {
  limit: number;
  windowMs: number;
  quota: Quota;
}

/** What was found out about a call from its head alone, at the moment of its arrival. */
type Admission =
  | { kind: 'unauthorised'; reason: string }
  | { kind: 'throttled'; by: CallQuota; retryAfterMs: number }
  | { kind: 'admitted'; holder: TokenHolder; action: FaultAction | undefined };

/** The calls that do something to a machine. */
export function createCallRoutes(deps: CallDeps, calls: readonly MachineCall[]): Router {
  const router = express.Router();
  for (const one of calls) {
    const path = `/machines/:machineId/${one.operation}`;
    router.post(path, (req, res) => answerCall(deps, one, req, res));
    router.all(path, (req, res) => {
      const check = deps.tokens.check(req.get('authorization'));
      if (check.kind === 'refused') return sendReply(req, res, unauthorised(check.reason));
      res.writeHead(405, { Allow: 'POST', 'Content-Length': '0' }).end();
    });
  }
  return router;
}

async function answerCall(deps: CallDeps, called: MachineCall, req: Request, res: Response): Promise<void> {
  const { clock, deliver, log } = deps;
  const machineId = String(req.params['machineId']);
  const call = log.arrived({ operation: called.operation, machineId, authorised: false, counted: false });
  const traceparent = req.get('traceparent');
  if (traceparent !== undefined) call.traceparent = traceparent;
  res.on('finish', () => {
    if (typeof call.status === 'number') call.answeredAtMs = clock.monotonicMs();
  });
  // Decided before the body is read, so that the order of arrival is the order of counting.
  const admission = admit(deps, called, call, req);

  const body = await readJson(req, res);
  if (body.kind === 'aborted') return log.settle(call, 'aborted');
  const content = contentOf(body, called.fields);
  if (content.kind === 'content') call.comment = content.comment;

  await deliver(req, res, admission.kind === 'admitted' ? admission.action : undefined, {
    perform() {
      if (admission.kind === 'unauthorised') return unauthorised(admission.reason);
      if (admission.kind === 'throttled') return throttled(deps, call, admission);
      if (!deps.settings.roles.includes(called.role)) return missingRole(called.role, deps.settings.roles);
      if (content.kind === 'invalid') return errorReply(400, content.code, content.message);
      const machine = deps.machines.find(machineId);
      if (machine === undefined) {
        return errorReply(404, 'ResourceNotFound', `Machine ${machineId} was not found`);
      }
      const { comment, fields } = content;
      const { holder, action } = admission;
      const asked = { machine, holder, comment, fields, origin: requestOrigin(req) };
      return called.perform(
        action?.kind === 'on-running' ? { ...asked, onRunning: action.answer } : asked,
        call,
      );
    },
    failure: usualReply,
    decided: (status) => log.settle(call, status),
  });
}

/** Token, quota, then scripted faults; counts the call where it counts. */
function admit(deps: CallDeps, { quotas }: MachineCall, call: LoggedCall, req: Request): Admission {
  const { settings, tokens, faults } = deps;
  const check = tokens.check(req.get('authorization'));
  if (check.kind === 'refused') return { kind: 'unauthorised', reason: check.reason };
  call.authorised = true;

  const full = quotas.find(({ quota }) => quota.retryAfterMs(call.atMs) > 0);
  const action = full ? undefined : faults.next('start', { machineId: call.machineId });
  const refused = full !== undefined || (action?.kind === 'status' && action.status === 429);
  call.counted = !refused || settings.countRefused;
  if (call.counted) for (const { quota } of quotas) quota.count(call.atMs);
  if (action?.kind === 'broken-body' && action.form === 'not-json') call.paged = true;
  if (full) return { kind: 'throttled', by: full, retryAfterMs: full.quota.retryAfterMs(call.atMs) };
  if (action?.kind === 'status' && typeof action.retryAfter === 'number')
    call.retryAfterS = action.retryAfter;
  return { kind: 'admitted', holder: check.holder, action };
}

function throttled(
  deps: CallDeps,
  call: LoggedCall,
  { by: { limit, windowMs }, retryAfterMs }: Extract<Admission, { kind: 'throttled' }>,
): Reply {
  const message = quotaMessage(limit, windowMs);
  if (deps.settings.retryAfterForm === 'http-date') {
    const wholeSecondMs = Math.ceil((deps.clock.wallMs() + retryAfterMs) / 1000) * 1000;
    return errorReply(429, '429', message, { 'Retry-After': new Date(wholeSecondMs).toUTCString() });
  }
  call.retryAfterS = Math.ceil(retryAfterMs / 1000);
  return errorReply(429, '429', message, { 'Retry-After': String(call.retryAfterS) });
}

function unauthorised(reason: string): Reply {
  return errorReply(401, 'Unauthorized', `Unauthorized request - reason of failure: ${reason}`);
}

type ContentReading =
  | { kind: 'content'; comment: string; fields: Record<string, unknown> }
  | { kind: 'invalid'; code: string; message: string };

/** Takes the mandatory `Comment` and the operation's own keys out of a body; keys count in exactly this spelling. */
function contentOf(body: JsonBody, wanted: MachineCall['fields']): ContentReading {
  if (body.kind !== 'json' || !isObject(body.value)) return incorrect;
  const { Comment: comment, ...rest } = body.value;
  if (comment === undefined || comment === null || comment === '') return missing('Comment');
  if (typeof comment !== 'string' || Object.keys(rest).some((key) => !Object.hasOwn(wanted, key)))
    return incorrect;
  for (const [key, check] of Object.entries(wanted)) {
    const value = rest[key];
    if (value === undefined || value === null || value === '') return missing(key);
    const code = check(value);
    if (code !== undefined) return { ...incorrect, code };
  }
  return { kind: 'content', comment, fields: rest };
}

const incorrect = {
  kind: 'invalid',
  code: 'InvalidRequestBody',
  message: 'Request body is incorrect',
} as const;

function missing(key: string): ContentReading {
  return {
    kind: 'invalid',
    code: 'MissingRequiredParameter',
    message: `Required parameter ${key} is missing`,
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `invalid`: no JSON at all; `aborted`: the client left before the end of its body. */
type JsonBody =
  { kind: 'json'; value: unknown } | { kind: 'wrong-type' } | { kind: 'invalid' } | { kind: 'aborted' };

const parse = express.json({ type: () => true, strict: false });

/** Reads a body that has to be declared as application/json. */
function readJson(req: Request, res: Response): Promise<JsonBody> {
  const declared = /^application\/json *(?:;|$)/i.test(req.get('content-type') ?? '');
  return new Promise((resolve) => {
    parse(req, res, (error?: unknown) => {
      if (error !== undefined) {
        const aborted = error instanceof Error && 'type' in error && error.type === 'request.aborted';
        resolve({ kind: aborted ? 'aborted' : declared ? 'invalid' : 'wrong-type' });
      } else resolve(declared ? { kind: 'json', value: req.body } : { kind: 'wrong-type' });
    });
  });
}
