import { z } from 'zod';
import { operationNames, profileOf } from '@diq/contracts/operations/index.ts';
import { resultKinds, risks } from '@diq/contracts/operations/profile.ts';
import type { Dependencies } from '../dependencies.ts';
import { defineRoute } from '../http/define-route.ts';
import { scopeToAskFor, type RequestContext } from '../http/request-context.ts';

const operation = z
  .strictObject({
    name: z.enum(operationNames),
    title: z.string(),
    parameters: z
      .record(z.string(), z.unknown())
      .describe('JSON Schema of what `parameters` of a request may have.'),
    resultKind: z.enum(resultKinds),
    limits: z
      .array(z.strictObject({ calls: z.int().positive(), windowSeconds: z.number().positive() }))
      .describe(
        'All of them hold at once; those of the settings, where these differ from what Microsoft documents.',
      ),
    requiredRole: z.string().describe('What the application in Entra ID needs.'),
    risk: z.enum(risks),
    scope: z.string().describe('What a caller needs to ask for it.'),
    isAllowed: z.boolean().describe('Whether the credential of this request has that scope.'),
  })
  .meta({ id: 'Operation', description: 'What can be done to machines.' });

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
      schema: z.strictObject({ value: z.array(operation) }),
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
