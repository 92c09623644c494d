import { batchCalls } from './batch-calls.ts';
import { bulkCalls } from './bulk-calls.ts';
import { queueCalls } from './queue-calls.ts';
import { requestCalls } from './request-calls.ts';
import { serviceCalls } from './service-calls.ts';
import { createTransport, type ClientOptions, type Transport } from './transport.ts';
import { waitCalls } from './wait-calls.ts';

export type DiqClient = ReturnType<typeof createClient>;

/** The calls of one tenant. */
export type TenantClient = ReturnType<typeof tenantCalls>;

/**
 * A client of the API. Each method is an operation of `/openapi.json`, by its name there for any Defender operation; it acts on the
 * only tenant that the credential reaches, or on that of `ofTenant`. Nothing is sent before a method is called, and
 * nothing has to be closed.
 *
 * @throws RangeError for a URL that cannot be used
 */
export function createClient(options: ClientOptions) {
  const transport = createTransport(options);
  return {
    ...tenantCalls(transport, '/v1'),
    ...serviceCalls(transport),
    /** The same calls of the tenant of this name. */
    ofTenant: (name: string) => tenantCalls(transport, `/v1/tenants/${encodeURIComponent(name)}`),
  };
}

function tenantCalls(transport: Transport, prefix: string) {
  const requests = requestCalls(transport, prefix);
  return {
    ...requests,
    ...bulkCalls(requests),
    ...batchCalls(transport, prefix),
    ...queueCalls(transport, prefix),
    ...waitCalls(transport, prefix),
  };
}
