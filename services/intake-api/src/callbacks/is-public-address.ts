import ipaddr from 'ipaddr.js';

/** Azure's platform address, by which a virtual machine reaches its host: public by number, not by nature. */
const azureHost = '168.63.129.16';

/**
 * Whether an IP address is one of the open Internet: not loopback, link-local (where clouds keep credentials), private,
 * shared, multicast, reserved, nor an IPv6 form that wraps an IPv4 address, which may lead to any of these.
 */
export function isPublicAddress(address: string): boolean {
  // `isValid` would also take the old forms such as 0x7f.1; here comes only what a resolver gives.
  if (!ipaddr.IPv4.isValidFourPartDecimal(address) && !ipaddr.IPv6.isValid(address)) return false;
  const parsed = ipaddr.parse(address);
  return parsed.range() === 'unicast' && parsed.toString() !== azureHost;
}
