import type { Request, RequestHandler, Response } from 'express';
import type { OperationName } from '@diq/contracts/operations.ts';
import { profileOf } from '@diq/contracts/operations/index.ts';
import { queueTagIn } from '@diq/contracts/queue-tag.ts';
import type { IdempotencyStore } from '@diq/queue/admission/idempotency-store.ts';
import { LayoutError } from '@diq/queue/layout.ts';
import type { Queue } from '@diq/tenants/tenant.ts';
import type { Caller } from '../config/callers.ts';
import type { ChooseQueue, QueueUse } from '../http/define-route.ts';
import { routeOf } from '../http/middleware/http-metrics.ts';
import { ProblemError } from '../http/problem-error.ts';
import { contextOf } from '../http/request-context.ts';
import type { LayoutGuard } from './layout-guard.ts';
import { queueFor, type KnownTenant, type QueueDirectory } from './queue-directory.ts';

/** What a queue's routes work with. */
interface Parts {
  readonly idempotency: IdempotencyStore;
}

/**
 * Which queue a request is about. An id leads to its own, whatever else the request names. Otherwise the tenant is that of
 * the path, or the caller's only one; the operation is the one named, or the tenant's default. What a caller does not
 * reach is answered like what does not exist. A queue that another version holds is neither read nor written.
 *
 * @param open what the queue's routes work with; opened when it is asked for first
 */
export function createChooseQueue(
  directory: QueueDirectory,
  layouts: Pick<LayoutGuard, 'claim' | 'isClaimed'>,
  open: (queue: Queue, isReading: boolean) => Parts,
): ChooseQueue {
  async function choose(response: Response, queue: Queue, operation?: string): Promise<object> {
    if (!layouts.isClaimed(queue)) await layouts.claim(queue).catch(refuseForeign);
    const named = response.req.params['tenant'];
    const parts = open(queue, ['GET', 'HEAD'].includes(response.req.method));
    contextOf(response).chosen = {
      queue,
      prefix: named === undefined ? '/v1' : `/v1/tenants/${String(named)}`,
      operation,
      isAccepting: directory.isAccepting(queue),
      idempotency: parts.idempotency,
      parts,
    };
    return parts;
  }

  function tenantOf(caller: Caller, named: string | string[] | undefined, use: QueueUse): KnownTenant {
    if (named !== undefined) {
      const tenant = directory.findTenant(caller, String(named));
      if (tenant) return tenant;
      throw new ProblemError('tenant_not_found', { detail: 'The credential reaches no such tenant.' });
    }
    // An id names its tenant. One that leads nowhere is unknown in any of them.
    const tenant = use === 'id' ? directory.firstTenantOf(caller) : onlyOf(directory.tenantsOf(caller));
    if (tenant) return tenant;
    throw new ProblemError('tenant_not_found', { detail: 'The credential reaches no tenant.' });
  }

  function tenantStep(use: QueueUse): RequestHandler {
    return (request, response, next) => {
      const tenant = tenantOf(contextOf(response).caller, request.params['tenant'], use);
      if (tenant.isRemoved && use === 'body') {
        throw tenantRemoved();
      }
      response.locals['tenant'] = tenant;
      next();
    };
  }

  function queueStep(use: QueueUse): RequestHandler {
    return async (request, response, next) => {
      const tenant = response.locals['tenant'] as KnownTenant;
      const id = idIn(request);
      const found =
        id === undefined ? undefined : directory.findByTag(contextOf(response).caller, queueTagIn(id));
      const isNamed = request.params['tenant'] !== undefined;
      if (found && (!isNamed || found.tenant === tenant.tenant.name)) {
        await choose(response, found);
        next();
        return;
      }
      const operation = use === 'id' ? undefined : operationIn(request, use);
      const queue = queueFor(tenant, operation as OperationName | undefined, use !== 'body');
      if (!queue) throw unknownOperation(tenant);
      if (use === 'body' && routeOf(request) === '/v1/investigations') refuseUnlessInvestigation(queue);
      await choose(response, queue, operation);
      next();
    };
  }

  return { tenant: tenantStep, queue: queueStep, exactly: choose };
}

function refuseForeign(error: unknown): never {
  if (!(error instanceof LayoutError)) throw error;
  throw new ProblemError('other_version', {
    detail: 'Nothing was read or recorded. Readiness and the log name the queue, the log what operators do.',
    headers: { 'Retry-After': String(foreignRetryAfterSeconds) },
  });
}

/** An operator has to act. */
const foreignRetryAfterSeconds = 60;

/** Nothing new is accepted for a tenant that is gone from the settings. */
function tenantRemoved(): ProblemError {
  return new ProblemError('tenant_removed', {
    detail: 'What was asked before can still be read and cancelled.',
  });
}

/**
 * The tenant that is meant where none is named; `undefined` for a caller that reaches none.
 *
 * @throws ProblemError 400 for one that reaches several
 */
function onlyOf(reached: readonly KnownTenant[]): KnownTenant | undefined {
  const present = reached.filter(({ isRemoved }) => !isRemoved);
  const candidates = present.length > 0 ? present : reached;
  if (candidates.length <= 1) return candidates[0];
  const names = candidates.slice(0, maxNamed).map(({ tenant }) => tenant.name);
  const left = candidates.length - names.length;
  throw new ProblemError('tenant_required', {
    detail: `The credential reaches several tenants; name one in the path, /v1/tenants/{name}/…: ${names.join(', ')}${left > 0 ? ` and ${left} more` : ''}.`,
  });
}

const maxNamed = 20;

/** The id in the path, or the batch to which a list or an action is limited. */
function idIn(request: Request): string | undefined {
  const body: unknown = request.body;
  const inBody = typeof body === 'object' && body !== null && 'batchId' in body ? body.batchId : undefined;
  const id: unknown = request.params['id'] ?? request.query['batchId'] ?? inBody;
  return typeof id === 'string' ? id : undefined;
}

/** The operation that a request names. It is taken out of the body: what is left there is what the operation is asked for. */
function operationIn(request: Request, use: Exclude<QueueUse, 'id'>): string | undefined {
  const body: unknown = request.body;
  if (use === 'query') return textOrRefuse(request.query['operation']);
  if (typeof body !== 'object' || body === null || !('operation' in body)) return undefined;
  const { operation } = body;
  delete body.operation;
  return textOrRefuse(operation);
}

function textOrRefuse(operation: unknown): string | undefined {
  if (operation === undefined || typeof operation === 'string') return operation;
  throw refuse('must be the name of an operation, given once');
}

/** What is posted there starts an investigation. */
function refuseUnlessInvestigation({ operation }: Queue): void {
  if (profileOf(operation).resultKind === 'investigation') return;
  throw refuse(
    `is ${operation} here, which starts no investigation: POST /v1/requests takes every operation`,
  );
}

function unknownOperation({ queues }: KnownTenant): ProblemError {
  return refuse(`must be one of ${queues.map(({ operation }) => operation).join(', ')}`);
}

function refuse(message: string): ProblemError {
  return new ProblemError('invalid_request', {
    detail: `operation ${message}.`,
    errors: [{ path: 'operation', message }],
  });
}
