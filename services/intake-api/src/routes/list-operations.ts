import { z } from 'zod';
import { operationDocument } from '@diq/contracts/offers.ts';
import { profileOf } from '@diq/contracts/operations/index.ts';
import type { Dependencies } from '../dependencies.ts';
import { defineRoute } from '../http/define-route.ts';
import { scopeToAskFor, type RequestContext } from '../http/request-context.ts';

/** The operations of a tenant, its default one first. */
export const listOperations = defineRoute({
  method: 'get',
  path: '/v1/operations',
  id: 'listOperations',
  tag: 'Quota and queue',
  summary: 'What can be asked for',
  description: 'Each operation is a queue of its own. A request that names none gets the first.',
  scope: 'read',
  queue: 'query',
  answers: {
    200: {
      description: 'The operations that the tenant may use.',
      schema: z.strictObject({ value: z.array(operationDocument) }),
    },
  },
  handle({ context, response }, { directory, queue }: Dependencies) {
    const known = directory.tenantsOf(context.caller).find(({ tenant }) => tenant.name === queue.tenant);
    response.json({ value: (known?.queues ?? []).map((one) => describe(one, context)) });
  },
});

function describe({ operation: name, limits }: Dependencies['queue'], context: RequestContext) {
  const { title, parameters, resultKind, requiredRole, risk } = profileOf(name);
  const { $schema: _, '~standard': __, ...schema } = z.toJSONSchema(parameters, { io: 'input' });
  const scope = scopeToAskFor(name);
  return {
    name,
    title,
    parameters: schema,
    resultKind,
    limits: limits.map(({ calls, windowMs }) => ({ calls, windowSeconds: windowMs / 1_000 })),
    requiredRole,
    risk,
    scope,
    isAllowed: context.caller.scopes.has(scope),
  };
}
