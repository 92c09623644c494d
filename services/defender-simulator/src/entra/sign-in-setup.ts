import { z } from 'zod';

/** What can be wrong with an ID token, so that a client shows that it looks. */
export const idTokenFlaws = ['signature', 'issuer', 'audience', 'tenant', 'nonce', 'expired'] as const;

export type IdTokenFlaw = (typeof idTokenFlaws)[number];

const personSchema = z.strictObject({
  /** The name with which a person signs in: `preferred_username`. */
  username: z.string().min(1).max(200),
  name: z.string().max(1000).optional(),
  oid: z.guid(),
  /** App roles that the person has in the application. */
  roles: z.array(z.string()).default([]),
  /** Whether the person agrees that the application sees who signs in. */
  consents: z.boolean().default(true),
});

/** The application to which people sign in, and who they are. */
export const signInSchema = z.strictObject({
  clientId: z.guid(),
  /** Left out: a public client, which proves itself by PKCE alone. */
  clientSecret: z.string().min(1).optional(),
  redirectUris: z.array(z.url()).min(1),
  people: z.array(personSchema).max(100),
  codeLifetimeMs: z.int().min(0).default(600_000),
  flaw: z.enum(idTokenFlaws).optional(),
});

export type SignInSetup = z.output<typeof signInSchema>;

export type Person = z.output<typeof personSchema>;
