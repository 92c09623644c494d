import ipaddr from 'ipaddr.js';

/** Where clouds hand credentials and settings to the machines that they host. */
const services = [
  // AWS, Azure, Google, Oracle, DigitalOcean and others; ECS and EKS hand out credentials beside it.
  '169.254.169.254',
  '169.254.170.2',
  '169.254.170.23',
  'fd00:ec2::254',
  'fd00:ec2::23',
  'fd20:ce::254',
  // Azure's host, by which a virtual machine reaches its platform: public by number, not by nature.
  '168.63.129.16',
  // Alibaba, Oracle's older one, Scaleway.
  '100.100.100.200',
  '192.0.0.192',
  'fd00:42::42',
].map((address) => ipaddr.parse(address));

const ofIpv4 = services.filter((address) => address instanceof ipaddr.IPv4).map((it) => it.toByteArray());
const ofIpv6 = services.filter((address) => address instanceof ipaddr.IPv6).map(String);

/** Nothing that takes callbacks has a link-local address, and some clouds have further services there. */
const linkLocal: [ipaddr.IPv4, number] = [ipaddr.IPv4.parse('169.254.0.0'), 16];

/**
 * Where an IPv6 address can hold an IPv4 address, as places of its four bytes: mapped, compatible, translated, ISATAP
 * and NAT64 at the end; 6to4 after its prefix; NAT64 behind shorter prefixes, around byte 8 (RFC 6052, 2.2).
 */
const wrappings = [
  [12, 13, 14, 15],
  [2, 3, 4, 5],
  [4, 5, 6, 7],
  [5, 6, 7, 9],
  [6, 7, 9, 10],
  [7, 9, 10, 11],
  [9, 10, 11, 12],
];

/**
 * Whether an IP address leads to a service that hands out a cloud machine's credentials, however it is spelt. Such an
 * address is never called, also where private ones may be. What is no address counts as one of them.
 */
export function isMetadataAddress(address: string): boolean {
  const parsed = parseAddress(address);
  if (parsed === undefined) return true;
  if (parsed instanceof ipaddr.IPv4) return parsed.match(linkLocal) || isOneOf(parsed.toByteArray());
  if (parsed.range() === 'linkLocal' || ofIpv6.includes(parsed.toString())) return true;
  if (parsed.isIPv4MappedAddress()) return isMetadataAddress(parsed.toIPv4Address().toString());
  const bytes = parsed.toByteArray();
  // Teredo holds the client's address with every bit turned.
  if (parsed.range() === 'teredo' && isOneOf(bytes.slice(12).map((byte) => byte ^ 0xff))) return true;
  return wrappings.some((places) => isOneOf(places.map((place) => bytes[place] ?? 0)));
}

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

/** What a resolver gives, or `undefined`: the library alone would also take old forms such as 0x7f.1. */
function parseAddress(address: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  if (!ipaddr.IPv4.isValidFourPartDecimal(address) && !ipaddr.IPv6.isValid(address)) return undefined;
  const parsed = ipaddr.parse(address);
  // A zone says by which interface, not to whom.
  if (parsed instanceof ipaddr.IPv6) delete parsed.zoneId;
  return parsed;
}

function isOneOf(bytes: readonly number[]): boolean {
  return ofIpv4.some((service) => service.every((byte, i) => byte === bytes[i]));
}
