/** What stands between the slashes of Defender's ids, names of machines and OData keys. */
const id = String.raw`[\w.-]{1,300}`;
const forms = [
  new RegExp(`^/api/machines(?:/${id})?$`),
  /^\/api\/machines\/findbyip\(ip='[\d.:A-Fa-f]{2,45}',timestamp=[\d:.TZ-]{10,40}\)$/,
  new RegExp(`^/api/investigations(?:/${id})?$`),
  new RegExp(`^/api/machineactions(?:/${id})?$`),
];

/** Of a list: what it is limited to, and which page. */
const options: Readonly<Record<string, RegExp>> = {
  $filter: /^[\w '(),:.@+-]{1,1000}$/,
  $top: /^(?:\d{1,2}|100)$/,
  $skip: /^\d{1,6}$/,
  $skiptoken: /^[\w=+/-]{1,500}$/,
  $count: /^(?:true|false)$/,
  $orderby: /^[\w ,]{1,100}$/,
};

const pageOf = '100';

/**
 * The path, with its query, by which a worker reads of Defender what a caller asks for; `undefined` for what is not read for
 * callers: what is read with the service's own identity is machines, investigations and machine actions, in pages of 100.
 *
 * @param path with `/api` in front, in whatever case
 */
export function readablePath(path: string, query: Readonly<Record<string, unknown>>): string | undefined {
  const [, api, set = '', rest = ''] = /^(\/api)(?:\/v1\.0)?(\/[a-z]+)(.*)$/i.exec(path) ?? [];
  const own = `${api?.toLowerCase()}${set.toLowerCase()}${rest.replace(/^\/findbyip(?=\()/i, '/findbyip')}`;
  if (!forms.some((form) => form.test(own))) return undefined;
  const isList = rest === '';
  const given = Object.entries(query);
  if (!given.every(([name, value]) => typeof value === 'string' && (options[name]?.test(value) ?? false)))
    return undefined;
  const wanted = new URLSearchParams(given as [string, string][]);
  if (isList && !wanted.has('$top')) wanted.set('$top', pageOf);
  return wanted.size === 0 ? own : `${own}?${wanted.toString().replaceAll('%24', '$')}`;
}

/** Whether it is a path that `readablePath` makes. */
export function isReadable(path: string): boolean {
  const [bare = '', query] = path.split('?');
  return readablePath(bare, Object.fromEntries(new URLSearchParams(query))) === path;
}
