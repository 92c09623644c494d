import { createMsalNetworkClient } from '../defender/auth/msal-network-client.ts';
import {
  createTokenProvider,
  type TokenProvider,
  type TokenRequestOutcome,
} from '../defender/auth/token-provider.ts';
import { makeCertificate } from '../defender/test-support/certificate.ts';
import { openTokenEndpoint, type TokenEndpoint } from '../defender/test-support/token-endpoint.ts';
import { testClientId } from './test-worker-parts.ts';

export const clientSecret = 'Abc~very.secret_value-123';

/** Entra ID's token endpoint on a real socket. */
export interface Entra {
  readonly endpoint: TokenEndpoint;
  /** The real token provider, trusting this endpoint; it closes with it. */
  createProvider(onRequest: (outcome: TokenRequestOutcome) => void): TokenProvider;
  close(): Promise<void>;
}

export async function openEntra(): Promise<Entra> {
  const certificate = await makeCertificate();
  const endpoint = await openTokenEndpoint(certificate);
  const { authorityHost } = endpoint;
  const network = createMsalNetworkClient({ authorityHost, requestTimeoutMs: 2_000, ca: certificate.cert });
  return {
    endpoint,
    createProvider: (onRequest) =>
      createTokenProvider({
        tenantId: 'contoso',
        clientId: testClientId,
        credential: { kind: 'secret', secret: clientSecret },
        authorityHost,
        scope: 'https://api.securitycenter.microsoft.com/.default',
        networkClient: network,
        onRequest,
      }),
    async close() {
      await network.close();
      await endpoint.close();
    },
  };
}
