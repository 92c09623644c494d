/** Below these Microsoft's documents show the links: of Defender itself, and of the storage of Azure. */
const knownDomains = [
  'securitycenter.windows.com',
  'securitycenter.microsoft.com',
  'security.microsoft.com',
  'securitycenter.microsoft.us',
  'blob.core.windows.net',
  'blob.core.usgovcloudapi.net',
] as const;

/** Whether a link of Defender's may be passed on: by https to a host of Microsoft's, or to the very host that Defender is called at. */
export function isLinkHost({ protocol, hostname, host, username, password }: URL, baseUrl: string): boolean {
  if (protocol !== 'https:' || username !== '' || password !== '') return false;
  if (host === new URL(baseUrl).host) return true;
  return knownDomains.some((domain) => hostname === domain || hostname.endsWith(`.${domain}`));
}
