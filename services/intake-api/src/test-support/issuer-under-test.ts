import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT, type FetchImplementation, type JWK } from 'jose';
import { generate } from 'selfsigned';
import { Agent, fetch } from 'undici';

type KeyPair = Awaited<ReturnType<typeof generateKeyPair>>;

/** What a token says; each field has a good value unless given. */
export interface TokenPlan {
  claims?: Record<string, unknown>;
  /** Relative to now. */
  expiresInSeconds?: number;
  validInSeconds?: number;
  /** Key that it names, and key that signs it. */
  kid?: string;
  /** `typ` of its header. */
  type?: string;
  signedBy?: KeyPair['privateKey'];
}

/** A tenant of Entra ID on loopback: real keys, real signatures, real https. */
export interface IssuerUnderTest {
  readonly tenantId: string;
  readonly audience: string;
  readonly applicationId: string;
  readonly origin: string;
  /** How often its keys were read. */
  readonly reads: number;
  /** Trusts its certificate. */
  readonly fetch: FetchImplementation;
  token(plan?: TokenPlan): Promise<string>;
  /** The public key that is in use, in PEM. */
  publicKey(): Promise<string>;
  /** What it publishes. */
  keys(): string;
  /** Publishes and uses another key; the present one goes. */
  rotate(): Promise<void>;
  /** Whether it answers when asked for its keys. */
  setReachable(isReachable: boolean): void;
}

interface Opened {
  server: Server;
  agent: Agent;
}

const tenantId = '0d2f6a5b-7a4e-4c46-9a55-0f1d3ac0b111';
const applicationId = '5e0c0f3e-9a40-4be7-8c11-7a2f7d1c2222';
const audience = 'api://investigation-queue';

/** Call inside a `describe`. Readable from the suite's `before` hooks on. */
export function useIssuer(): IssuerUnderTest {
  let opened: Opened | undefined;
  let current: { kid: string; pair: KeyPair; jwk: JWK } | undefined;
  let [reads, keys, isReachable] = [0, 0, true];

  const key = () => {
    if (!current) throw new Error('the issuer is there from the before hooks on');
    return current;
  };
  const published = () => JSON.stringify({ keys: [key().jwk] });
  async function rotate(): Promise<void> {
    const pair = await generateKeyPair('RS256', { extractable: true });
    const kid = `key-${(keys += 1)}`;
    current = { kid, pair, jwk: { ...(await exportJWK(pair.publicKey)), kid, use: 'sig', kty: 'RSA' } };
  }

  before('open the issuer', async () => {
    await rotate();
    const { cert, private: privateKey } = await generate([{ name: 'commonName', value: 'localhost' }], {
      keySize: 2_048,
      extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] }],
    });
    const server = createServer({ cert, key: privateKey }, (request, response) => {
      if (!isReachable || request.url !== `/${tenantId}/discovery/v2.0/keys`) {
        response.writeHead(isReachable ? 404 : 503).end();
        return;
      }
      reads += 1;
      response.setHeader('Content-Type', 'application/json').end(published());
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    opened = { server, agent: new Agent({ connect: { ca: cert } }) };
  });
  after('close the issuer', async () => {
    await opened?.agent.close();
    opened?.server.close();
  });

  return {
    tenantId,
    audience,
    applicationId,
    get origin() {
      if (!opened) throw new Error('the issuer is there from the before hooks on');
      return `https://localhost:${(opened.server.address() as AddressInfo).port}`;
    },
    get reads() {
      return reads;
    },
    fetch: async (url, { signal }) =>
      await fetch(url, { signal, redirect: 'manual', ...(opened ? { dispatcher: opened.agent } : {}) }),
    rotate,
    setReachable: (reachable) => (isReachable = reachable),
    keys: published,
    publicKey: () => exportSPKI(key().pair.publicKey),
    async token({ claims = {}, type = 'JWT', ...plan } = {}) {
      const { expiresInSeconds = 3_600, validInSeconds = 0, kid, signedBy } = plan;
      const { pair } = key();
      const nowSeconds = Math.floor(Date.now() / 1_000);
      const all = {
        iss: `${this.origin}/${tenantId}/v2.0`,
        aud: audience,
        tid: tenantId,
        azp: applicationId,
        roles: ['Investigations.Submit', 'Investigations.Read'],
        ver: '2.0',
        nbf: nowSeconds + validInSeconds,
        exp: nowSeconds + expiresInSeconds,
        ...claims,
      };
      return await new SignJWT(all)
        .setProtectedHeader({ alg: 'RS256', typ: type, kid: kid ?? key().kid })
        .sign(signedBy ?? pair.privateKey);
    },
  };
}
