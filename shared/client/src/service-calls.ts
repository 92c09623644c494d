import { z } from 'zod';
import { tenantDocument } from '@diq/contracts/offers.ts';
import { queueSummary } from '@diq/contracts/quota-document.ts';
import type { PageSize } from './inputs.ts';
import { pagesOf } from './pages.ts';
import type { CallOptions, Transport } from './transport.ts';
import { withQuery } from './write-query.ts';

const health = z.strictObject({
  status: z.enum(['ok', 'unavailable']),
  version: z.string(),
  checks: z.record(z.string(), z.string()),
});
const openApi = z.looseObject({ openapi: z.string() });

/** The calls that are about no single queue. Each rejects with DiqError, or with the reason of its signal. */
export function serviceCalls(transport: Transport) {
  const textAt = async (path: string, options: CallOptions) =>
    (await transport.send<string>({ ...options, method: 'GET', path })).body;
  return {
    /** The tenants that the credential reaches, by name. */
    listTenants: (size: PageSize = {}, options: CallOptions = {}) =>
      pagesOf(transport, withQuery('/v1/tenants', size), tenantDocument, options),
    /** The queues that the credential reaches, by tenant and operation. */
    listQueues: (of: PageSize & { tenant?: string | undefined } = {}, options: CallOptions = {}) =>
      pagesOf(transport, withQuery('/v1/queues', of), queueSummary, options),
    async getLiveness(options: CallOptions = {}) {
      return (await transport.send({ ...options, method: 'GET', path: '/livez', schema: health })).body;
    },
    /** Also of a service that is not ready: its `status` says so. */
    async getReadiness(options: CallOptions = {}) {
      const call = { method: 'GET', path: '/readyz', schema: health, accepts: [503] } as const;
      return (await transport.send({ ...options, ...call })).body;
    },
    /** In the text format of Prometheus. */
    getMetrics: (options: CallOptions = {}) => textAt('/metrics', options),
    async getOpenApi(options: CallOptions = {}) {
      return (await transport.send({ ...options, method: 'GET', path: '/openapi.json', schema: openApi }))
        .body;
    },
    /** The same as OpenAPI 3.0. */
    async getOpenApi30(options: CallOptions = {}) {
      return (await transport.send({ ...options, method: 'GET', path: '/openapi-3.0.json', schema: openApi }))
        .body;
    },
    /** The page that shows the same to people. */
    getDocs: (options: CallOptions = {}) => textAt('/docs', options),
  };
}
