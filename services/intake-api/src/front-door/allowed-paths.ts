/**
 * What is passed on to Defender, by method and by the path behind `/api`, in whatever case: what connectors read there and
 * change there. What is not listed, such as settings of the tenant, is not reached through this service.
 */
const segment = String.raw`[\w.~@()',:=-]{1,300}`;

const reads = [
  'advancedhunting',
  'alerts',
  'configurationscore',
  'deviceavinfo',
  'domains',
  'exposurescore',
  'files',
  'incidents',
  'indicators',
  'investigations',
  'ips',
  'libraryfiles',
  'machineactions',
  'machines',
  'recommendations',
  'remediationtasks',
  'software',
  'users',
  'vulnerabilities',
];

const allowed: Readonly<Record<string, readonly RegExp[]>> = {
  GET: [new RegExp(`^/(?:${reads.join('|')})(?:/${segment}){0,4}$`, 'i')],
  POST: [
    /^\/advanced(?:queries|hunting)\/run$/i,
    /^\/alerts\/(?:createalertbyreference|batchupdate)$/i,
    /^\/indicators(?:\/import|\/batchdelete)?$/i,
    /^\/machines\/addorremovetagformultiplemachines$/i,
    new RegExp(`^/machines/${segment}/[a-z]{1,60}$`, 'i'),
    new RegExp(`^/machineactions/${segment}/cancel$`, 'i'),
    /^\/libraryfiles$/i,
  ],
  PATCH: [new RegExp(`^/(?:alerts|machines)/${segment}$`, 'i')],
  DELETE: [new RegExp(`^/(?:indicators|libraryfiles)/${segment}$`, 'i')],
};

/** @param path behind `/api` or `/api/v1.0`, without a query */
export function isPassedOn(method: string, path: string): boolean {
  return Object.hasOwn(allowed, method) && (allowed[method]?.some((form) => form.test(path)) ?? false);
}
