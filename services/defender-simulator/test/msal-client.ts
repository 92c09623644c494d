import { readFileSync } from 'node:fs';

import { ConfidentialClientApplication, type NodeAuthOptions } from '@azure/msal-node';

/** Run as a process of its own, because only a new process reads NODE_EXTRA_CA_CERTS. Prints the outcomes as JSON. */
const [origin = '', tenantId = '', clientId = '', secret = '', privateKeyFile = '', thumbprintSha256 = ''] =
  process.argv.slice(2);

const ways: Record<string, Partial<NodeAuthOptions>> = {
  secret: { clientSecret: secret },
  wrongSecret: { clientSecret: 'wrong' },
  federated: { clientAssertion: () => Promise.resolve('the federated assertion') },
  certificate: {
    clientCertificate: { thumbprintSha256, privateKey: readFileSync(privateKeyFile, 'utf8') },
  },
};

const outcomes: Record<string, unknown> = {};
for (const [way, credential] of Object.entries(ways)) {
  const app = new ConfidentialClientApplication({
    auth: {
      clientId,
      authority: `${origin}/${tenantId}`,
      knownAuthorities: [new URL(origin).host],
      ...credential,
    },
  });
  try {
    const result = await app.acquireTokenByClientCredential({
      scopes: ['https://api.securitycenter.microsoft.com/.default'],
    });
    outcomes[way] = { token: result?.accessToken, expiresOn: result?.expiresOn };
  } catch (error) {
    const { errorCode, status, errorNo } = error as Record<string, unknown>;
    outcomes[way] = { errorCode, status, errorNo, text: String(error) };
  }
}
process.stdout.write(JSON.stringify(outcomes));
