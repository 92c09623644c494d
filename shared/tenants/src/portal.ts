/** Where people see the machines that are reached under these hosts. Documented by Microsoft; GCC has the portal of the public cloud. */
const portals: readonly { readonly hosts: RegExp; readonly portal: string }[] = [
  {
    hosts:
      /^(?:api(?:-[a-z0-9-]+)?\.securitycenter\.(?:microsoft|windows)\.com|(?:[a-z0-9-]+\.)?api\.security\.microsoft\.com|api-gcc\.securitycenter\.microsoft\.us)$/,
    portal: 'https://security.microsoft.com',
  },
];

/**
 * The origin of Defender's portal, by where its API is called. `undefined` for hosts that leave it open: GCC High and DoD share one
 * host of the API and have portals of their own.
 */
export function portalOf(baseUrl: string): string | undefined {
  const { hostname } = new URL(baseUrl);
  return portals.find(({ hosts }) => hosts.test(hostname))?.portal;
}
