import { z } from 'zod';
import { operationNames } from './operations/index.ts';
import { resultKinds, risks } from './operations/profile.ts';

/** An operation that a tenant may use. */
export const operationDocument = z
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

export type OperationDocument = z.output<typeof operationDocument>;

/** A tenant that a credential reaches. */
export const tenantDocument = z
  .strictObject({
    name: z.string(),
    defaultOperation: z.enum(operationNames).describe('Of requests that name none.'),
    operations: z.array(z.enum(operationNames)),
    isRemoved: z
      .boolean()
      .describe(
        'It is in the settings no more: what was asked can be read and cancelled, nothing new is accepted.',
      ),
  })
  .meta({ id: 'Tenant', description: 'A tenant that the credential reaches.' });

export type TenantDocument = z.output<typeof tenantDocument>;
