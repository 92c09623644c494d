import { constants, createHash, verify, type X509Certificate } from 'node:crypto';
import { z } from 'zod';
import type { EntraErrorCode } from './entra-errors.ts';

export interface AssertionRules {
  /** The public certificate registered for the application. */
  certificate: X509Certificate;
  clientId: string;
  /** The names of the token endpoint, any of which the assertion may be made out to. */
  audiences: readonly string[];
  /** Seconds since 1970. */
  nowS: number;
}

export type AssertionJudgement = { kind: 'accepted' } | { kind: 'refused'; error: EntraErrorCode };

const headerSchema = z.object({
  alg: z.enum(['PS256', 'RS256']),
  'x5t#S256': z.string().optional(),
  x5t: z.string().optional(),
});

const claimsSchema = z.object({
  aud: z.string(),
  iss: z.string(),
  sub: z.string(),
  exp: z.number(),
  nbf: z.number().optional(),
});

/** Clocks may differ by this much, as Entra ID allows. */
const clockSkewS = 300;

/** Judges a JWT that was signed with the private key of a registered certificate (RFC 7523). */
export function judgeAssertion(assertion: string, rules: AssertionRules): AssertionJudgement {
  const [headerPart = '', claimsPart = '', signaturePart = ''] = assertion.split('.');
  const header = headerSchema.safeParse(decoded(headerPart));
  const claims = claimsSchema.safeParse(decoded(claimsPart));
  if (!header.success || !claims.success) return refused('AADSTS700027');
  if (!namesCertificate(header.data, rules.certificate)) return refused('AADSTS700027');

  const signed = verify(
    'sha256',
    Buffer.from(`${headerPart}.${claimsPart}`),
    header.data.alg === 'PS256'
      ? {
          key: rules.certificate.publicKey,
          padding: constants.RSA_PKCS1_PSS_PADDING,
          saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
        }
      : rules.certificate.publicKey,
    Buffer.from(signaturePart, 'base64url'),
  );
  return signed ? judgeClaims(claims.data, rules) : refused('AADSTS700027');
}

function judgeClaims(claims: z.output<typeof claimsSchema>, rules: AssertionRules): AssertionJudgement {
  const { clientId, audiences, nowS } = rules;
  if (claims.iss !== clientId || claims.sub !== clientId) return refused('AADSTS700021');
  if (!audiences.includes(claims.aud)) return refused('AADSTS700023');
  const early = claims.nbf !== undefined && claims.nbf > nowS + clockSkewS;
  return early || claims.exp < nowS - clockSkewS ? refused('AADSTS700024') : { kind: 'accepted' };
}

/** The header has to say which certificate it means, by its SHA-256 or, in the old form, its SHA-1 thumbprint. */
function namesCertificate(header: z.output<typeof headerSchema>, certificate: X509Certificate): boolean {
  const thumbprint = (hash: string) => createHash(hash).update(certificate.raw).digest('base64url');
  return header['x5t#S256'] === thumbprint('sha256') || header.x5t === thumbprint('sha1');
}

function decoded(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
}

function refused(error: EntraErrorCode): AssertionJudgement {
  return { kind: 'refused', error };
}
