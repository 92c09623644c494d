import { createHmac } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { receiverOf } from '../config/allowed-hosts.ts';
import { secretPrefix } from '../config/callback-secrets.ts';
import type { CallbackSettings } from '../config/config.ts';

/** What is sent. The id says which news it is and stays the same over retries; the time is that of the attempt. */
interface Message {
  id: string;
  atMs: number;
  body: string;
}

export type SignCallback = ReturnType<typeof createSignCallback>;

/**
 * Signs with the receiver's own secret, once for each secret that is set, so that receivers can change over at their
 * leisure. What one receiver can verify, and so could have made, no other takes for ours.
 */
export function createSignCallback({
  secrets,
  allowedHosts,
}: Pick<CallbackSettings, 'secrets' | 'allowedHosts'>) {
  /** Signs what is sent to a URL that is allowed. */
  return (url: URL, message: Message) => {
    const receiver = receiverOf(url, allowedHosts);
    if (receiver === undefined) throw new Error('a callback is to be signed for a URL that is not allowed');
    return signMessage(
      secrets.map((secret) => secretOfReceiver(secret, receiver)),
      message,
    );
  };
}

/** The secret of one receiver, in the form of all: who has it cannot tell that of another from it. */
export function secretOfReceiver(secret: string, receiver: string): string {
  const key = Buffer.from(secret.slice(secretPrefix.length), 'base64');
  return secretPrefix + createHmac('sha256', key).update(receiver).digest('base64');
}

/** What a receiver needs to tell that a callback is ours and fresh, as Standard Webhooks 1.0 has it. */
export function signMessage(secrets: readonly string[], { id, atMs, body }: Message) {
  const signatures = secrets.map((secret) => new Webhook(secret).sign(id, new Date(atMs), body));
  return {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(atMs / 1_000)),
    'webhook-signature': signatures.join(' '),
  };
}
