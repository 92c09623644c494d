import ipaddr from 'ipaddr.js';
import { isMetadataAddress, parseAddress } from './is-metadata-address.ts';

/** All of IPv6 that is assigned to the open Internet; what lies outside wraps other networks or leads nowhere. */
const globalUnicast: [ipaddr.IPv6, number] = [ipaddr.IPv6.parse('2000::'), 3];

/**
 * Whether an IP address is one of the open Internet: not loopback, link-local (where clouds keep credentials), private,
 * shared, multicast, reserved, nor an IPv6 form that wraps an IPv4 address, which may lead to any of these.
 */
export function isPublicAddress(address: string): boolean {
  const parsed = parseAddress(address);
  if (parsed?.range() !== 'unicast' || isMetadataAddress(address)) return false;
  return parsed instanceof ipaddr.IPv4 || (parsed.match(globalUnicast) && !isIsatap(parsed));
}

/** An interface identifier of ISATAP (RFC 5214) wraps an IPv4 address behind any prefix. */
function isIsatap({ parts }: ipaddr.IPv6): boolean {
  return ((parts[4] ?? 0) & ~0x0200) === 0 && parts[5] === 0x5efe;
}
