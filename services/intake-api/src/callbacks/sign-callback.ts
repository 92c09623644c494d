import { Webhook } from 'standardwebhooks';

/** What a receiver needs to tell that a callback is ours and fresh. */
export interface SignedHeaders {
  'webhook-id': string;
  'webhook-timestamp': string;
  'webhook-signature': string;
}

/** Signs a body. The id says which news it is and stays the same over retries; the time is that of the attempt. */
export type SignCallback = (id: string, atMs: number, body: string) => SignedHeaders;

/** Signs as Standard Webhooks 1.0 has it, once with each secret, so that receivers can change over at their leisure. */
export function createSignCallback(secrets: readonly string[]): SignCallback {
  const signers = secrets.map((secret) => new Webhook(secret));
  return (id, atMs, body) => ({
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(atMs / 1_000)),
    'webhook-signature': signers.map((signer) => signer.sign(id, new Date(atMs), body)).join(' '),
  });
}
