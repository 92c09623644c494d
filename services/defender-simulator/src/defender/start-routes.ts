import express, { type Request, type Response, type Router } from 'express';
import type { CallLog, StartCall } from './call-log.ts';
import type { Clock } from '../clock.ts';
import type { SimulatorSettings } from '../config.ts';
import { errorReply, odataReply, quotaMessage, usualReply } from './defender-reply.ts';
import type { Deliver } from '../deliver.ts';
import type { FaultAction, FaultPlan } from '../fault-plan.ts';
import type { Investigation, Investigations } from './investigations.ts';
import type { Machines } from './machines.ts';
import type { Quota } from './quota.ts';
import { sendReply, requestOrigin, type Reply } from '../reply.ts';
import type { TokenHolder, Tokens } from '../tokens.ts';

export interface StartDeps {
  clock: Clock;
  settings: SimulatorSettings;
  tokens: Tokens;
  machines: Machines;
  investigations: Investigations;
  quota: Quota;
  faults: FaultPlan;
  deliver: Deliver;
  log: CallLog;
}

/** Generation 1 as in the documentation of 2019, and its successor. Both draw on the one quota. */
const operations: Record<string, (origin: string, investigation: Investigation) => Reply> = {
  InitiateInvestigation: (origin, { id }) =>
    odataReply(200, `${origin}/api/$metadata#Edm.Int64`, { value: Number(id) }),
  startInvestigation: (origin, investigation) =>
    odataReply(201, `${origin}/api/$metadata#Investigations/$entity`, investigation),
};

/** What was found out about a call from its head alone, at the moment of its arrival. */
type Admission =
  | { kind: 'unauthorised'; reason: string }
  | { kind: 'throttled'; retryAfterMs: number }
  | { kind: 'admitted'; holder: TokenHolder; action: FaultAction | undefined };

/** The calls that start an investigation. */
export function createStartRoutes(deps: StartDeps): Router {
  const router = express.Router();
  for (const [operation, success] of Object.entries(operations)) {
    const path = `/machines/:machineId/${operation}`;
    router.post(path, (req, res) => answerStart(deps, operation, success, req, res));
    router.all(path, (req, res) => {
      const check = deps.tokens.check(req.get('authorization'));
      if (check.kind === 'refused') return sendReply(req, res, unauthorised(check.reason));
      res.writeHead(405, { Allow: 'POST', 'Content-Length': '0' }).end();
    });
  }
  return router;
}

async function answerStart(
  deps: StartDeps,
  operation: string,
  success: (origin: string, investigation: Investigation) => Reply,
  req: Request,
  res: Response,
): Promise<void> {
  const { clock, deliver, log } = deps;
  const machineId = String(req.params['machineId']);
  const call = log.arrived({ operation, machineId, authorised: false, counted: false });
  const traceparent = req.get('traceparent');
  if (traceparent !== undefined) call.traceparent = traceparent;
  res.on('finish', () => {
    if (typeof call.status === 'number') call.answeredAtMs = clock.monotonicMs();
  });
  // Decided before the body is read, so that the order of arrival is the order of counting.
  const admission = admit(deps, call, req);

  const body = await readJson(req, res);
  if (body.kind === 'aborted') return log.settle(call, 'aborted');
  const comment = commentOf(body);
  if (comment.kind === 'comment') call.comment = comment.text;

  await deliver(req, res, admission.kind === 'admitted' ? admission.action : undefined, {
    perform() {
      if (admission.kind === 'unauthorised') return unauthorised(admission.reason);
      if (admission.kind === 'throttled') return throttled(deps, call, admission.retryAfterMs);
      if (comment.kind === 'invalid') return errorReply(400, comment.code, comment.message);
      return start(deps, call, admission.holder, (made) => success(requestOrigin(req), made));
    },
    failure: usualReply,
    decided: (status) => log.settle(call, status),
  });
}

/** Token, quota, then scripted faults; counts the call where it counts. */
function admit(deps: StartDeps, call: StartCall, req: Request): Admission {
  const { settings, tokens, quota, faults } = deps;
  const check = tokens.check(req.get('authorization'));
  if (check.kind === 'refused') return { kind: 'unauthorised', reason: check.reason };
  call.authorised = true;

  const full = quota.retryAfterMs(call.atMs) > 0;
  const action = full ? undefined : faults.next('start', { machineId: call.machineId });
  const refused = full || (action?.kind === 'status' && action.status === 429);
  call.counted = !refused || settings.countRefused;
  if (call.counted) quota.count(call.atMs);
  if (action?.kind === 'broken-body' && action.form === 'not-json') call.paged = true;
  if (full) return { kind: 'throttled', retryAfterMs: quota.retryAfterMs(call.atMs) };
  if (action?.kind === 'status' && typeof action.retryAfter === 'number')
    call.retryAfterS = action.retryAfter;
  return { kind: 'admitted', holder: check.holder, action };
}

function start(
  deps: StartDeps,
  call: StartCall,
  holder: TokenHolder,
  success: (investigation: Investigation) => Reply,
): Reply {
  const { machines, investigations, settings } = deps;
  const machine = machines.find(call.machineId);
  if (machine === undefined) {
    return errorReply(404, 'ResourceNotFound', `Machine ${call.machineId} was not found`);
  }
  const order = { machine, actor: holder.clientId };
  const running = settings.onRunning === 'new' ? undefined : investigations.running(machine.id);
  if (running !== undefined && settings.onRunning === 'refuse') {
    return errorReply(400, 'ActiveRequestAlreadyExists', 'Action is already in progress');
  }
  if (running !== undefined) investigations.join(order, running);
  const investigation = running ?? investigations.start(order);
  call.investigationId = investigation.id;
  return success(investigation);
}

function throttled(deps: StartDeps, call: StartCall, retryAfterMs: number): Reply {
  const { limit, windowMs, retryAfterForm } = deps.settings;
  const message = quotaMessage(limit, windowMs);
  if (retryAfterForm === 'http-date') {
    const wholeSecondMs = Math.ceil((deps.clock.wallMs() + retryAfterMs) / 1000) * 1000;
    return errorReply(429, '429', message, { 'Retry-After': new Date(wholeSecondMs).toUTCString() });
  }
  call.retryAfterS = Math.ceil(retryAfterMs / 1000);
  return errorReply(429, '429', message, { 'Retry-After': String(call.retryAfterS) });
}

function unauthorised(reason: string): Reply {
  return errorReply(401, 'Unauthorized', `Unauthorized request - reason of failure: ${reason}`);
}

type CommentReading = { kind: 'comment'; text: string } | { kind: 'invalid'; code: string; message: string };

/** Takes the mandatory `Comment` out of the body of a start call; the key counts in exactly this spelling. */
function commentOf(body: JsonBody): CommentReading {
  if (body.kind !== 'json' || !isObject(body.value)) return incorrect;
  const { Comment: comment, ...rest } = body.value;
  if (comment === undefined || comment === null || comment === '') return missing;
  if (typeof comment !== 'string' || Object.keys(rest).length > 0) return incorrect;
  return { kind: 'comment', text: comment };
}

const incorrect: CommentReading = {
  kind: 'invalid',
  code: 'InvalidRequestBody',
  message: 'Request body is incorrect',
};

const missing: CommentReading = {
  kind: 'invalid',
  code: 'MissingRequiredParameter',
  message: 'Required parameter Comment is missing',
};

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
