import { isIP } from 'node:net';
import { z } from 'zod';

/** Names for networks that Express knows: 127.0.0.0/8 and ::1; 169.254.0.0/16 and fe80::/10; 10/8, 172.16/12, 192.168/16, fc00::/7. */
const networkNames = ['loopback', 'linklocal', 'uniquelocal'];

/**
 * Addresses and networks whose `X-Forwarded-*` headers are believed. Not how many proxies there are: who reaches the
 * port without them would then be believed too.
 */
export function trustedProxies() {
  return z.string().transform((text, context): string[] => {
    const entries = text
      .split(',')
      .map((entry) => entry.trim())
      .filter((entry) => entry !== '');
    const wrong = entries.find((entry) => !isNetwork(entry));
    if (wrong === undefined) return entries;
    context.addIssue({
      code: 'custom',
      message: /^\d+$/.test(wrong)
        ? 'a number of proxies is not taken: list their addresses or networks, such as 10.0.0.0/8 or uniquelocal'
        : `not a list of addresses, networks (10.0.0.0/8) and ${networkNames.join(', ')}, separated by commas`,
    });
    return z.NEVER;
  });
}

function isNetwork(entry: string): boolean {
  if (networkNames.includes(entry)) return true;
  const [address = '', bits, ...rest] = entry.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return false;
  if (bits === undefined) return true;
  return /^\d{1,3}$/.test(bits) && Number(bits) >= 1 && Number(bits) <= (version === 4 ? 32 : 128);
}
