import { z } from 'zod';
import { tenantDocument } from '@diq/contracts/offers.ts';
import type { ServiceDependencies } from '../dependencies.ts';
import { namePosition, pageOf, positionCursor, writePosition } from '../http/cursor.ts';
import { defineRoute } from '../http/define-route.ts';
import { pageLimit } from '../http/parse-or-400.ts';

export const listTenants = defineRoute({
  method: 'get',
  path: '/v1/tenants',
  id: 'listTenants',
  tag: 'Quota and queue',
  summary: 'List the tenants that the credential reaches',
  scope: 'read',
  query: z.strictObject({ limit: pageLimit(500), cursor: positionCursor(namePosition).optional() }),
  answers: { 200: { description: 'A page, by name.', schema: pageOf(tenantDocument) } },
  handle({ query: { limit, cursor = '' }, context, response }, { directory }: ServiceDependencies) {
    const behind = directory
      .tenantsOf(context.caller)
      .filter(({ tenant: { name } }) => name > cursor)
      .toSorted((one, other) => (one.tenant.name < other.tenant.name ? -1 : 1));
    const shown = behind.slice(0, limit);
    const last = shown.at(-1)?.tenant.name ?? '';
    response.json({
      value: shown.map(({ tenant: { name, defaultOperation, operations }, isRemoved }) => ({
        name,
        defaultOperation,
        operations: [...operations.keys()],
        isRemoved,
      })),
      ...(behind.length > limit
        ? { nextLink: `/v1/tenants?limit=${limit}&cursor=${writePosition(last)}` }
        : {}),
    });
  },
});
