/** glibc's, too. */
const maxDomains = 6;

/**
 * The names to ask DNS for, one after the other, as `resolv.conf` has it: a name with fewer dots than `ndots` is looked for
 * below the search domains first, any other as it stands first. One that ends with a dot is complete.
 */
export function searchCandidates(hostname: string, resolvConf: string): string[] {
  if (hostname.endsWith('.')) return [hostname.slice(0, -1)];
  let domains: string[] = [];
  let ndots = 1;
  for (const line of resolvConf.split('\n')) {
    const [keyword, ...words] = line.trim().split(/\s+/);
    // The last of these lines is the one that counts.
    if (keyword === 'search') domains = words.slice(0, maxDomains);
    if (keyword === 'domain') domains = words.slice(0, 1);
    if (keyword !== 'options') continue;
    for (const word of words) ndots = Number(/^ndots:(\d{1,2})$/.exec(word)?.[1] ?? ndots);
  }
  const below = domains.map((domain) => `${hostname}.${domain.replace(/\.$/, '')}`).filter(isName);
  const dots = hostname.split('.').length - 1;
  return dots >= ndots ? [hostname, ...below] : [...below, hostname];
}

/** The domain `.`, which some systems write, leaves nothing to put behind a name. */
function isName(name: string): boolean {
  return !name.endsWith('.') && name.length <= 253;
}
