import assert from 'node:assert/strict';
import { parseTenants } from './parse-tenants.ts';
import { queuesOf } from './tenant.ts';

const id = (digit: string) => `${digit.repeat(8)}-1111-1111-1111-111111111111`;

const good = `
tenants:
  - name: contoso
    tenantId: ${id('A')}
    clientId: ${id('b')}
    clientSecretFile: /run/secrets/contoso
    operations:
      initiateInvestigation:
      startInvestigation: { limits: [ { calls: 60, window: 1m }, { calls: 600, window: 1h } ], reserveForCritical: 1 }
  - name: fabrikam
    tenantId: ${id('c')}
    clientId: ${id('d')}
    federatedTokenFile: /run/token
    authorityHost: https://login.example
    defenderBaseUrl: https://defender.example/
    defenderScope: https://defender.example/.default
    defaultOperation: startInvestigation
    operations: { initiateInvestigation: {}, startInvestigation: {} }
`;

function faultsOf(content: string): string[] {
  const parsed = parseTenants(content);
  assert.ok(!parsed.ok);
  return parsed.faults.map(({ line, message }) => `${line}: ${message}`);
}

function edited(...edits: [string, string][]): string {
  let content = good;
  for (const [from, to] of edits) {
    assert.ok(content.includes(from), from);
    content = content.replace(from, to);
  }
  return content;
}

describe('a file of tenants', () => {
  it('gives each tenant with its credential, hosts and operations, and what is left out by its default', () => {
    const parsed = parseTenants(good);
    assert.ok(parsed.ok, JSON.stringify(parsed));
    const [contoso, fabrikam] = parsed.tenants;
    assert.deepEqual(contoso, {
      name: 'contoso',
      tenantId: id('a'),
      portal: 'https://security.microsoft.com',
      defaultOperation: 'initiateInvestigation',
      operations: new Map([
        ['initiateInvestigation', { limits: [{ calls: 5, windowMs: 3_600_000 }], reserveForCritical: 0 }],
        [
          'startInvestigation',
          {
            limits: [
              { calls: 60, windowMs: 60_000 },
              { calls: 600, windowMs: 3_600_000 },
            ],
            reserveForCritical: 1,
          },
        ],
      ]),
      access: {
        clientId: id('b'),
        credential: { kind: 'secret_file', path: '/run/secrets/contoso' },
        authorityHost: 'https://login.microsoftonline.com',
        baseUrl: 'https://api.securitycenter.windows.com',
        scope: 'https://api.securitycenter.microsoft.com/.default',
      },
    });
    assert.deepEqual(fabrikam?.access, {
      clientId: id('d'),
      credential: { kind: 'federated', path: '/run/token' },
      authorityHost: 'https://login.example',
      baseUrl: 'https://defender.example',
      scope: 'https://defender.example/.default',
    });
    assert.equal(fabrikam.defaultOperation, 'startInvestigation');
  });

  it('may be JSON', () => {
    const entry = { name: 'a', tenantId: id('a'), clientId: id('b'), clientCertificatePath: '/c.pem' };
    const parsed = parseTenants(JSON.stringify({ tenants: [entry] }));
    assert.ok(parsed.ok);
    assert.deepEqual([...(parsed.tenants[0]?.operations.keys() ?? [])], ['initiateInvestigation']);
  });

  it('offers what cannot be undone where it is named, and never as the default', () => {
    const entry = { name: 'a', tenantId: id('a'), clientId: id('b'), clientSecretFile: '/s' };
    const parsed = parseTenants(
      JSON.stringify({ tenants: [{ ...entry, operations: { offboard: {}, isolate: {} } }] }),
    );
    assert.ok(parsed.ok);
    const [tenant] = parsed.tenants;
    assert.deepEqual([...(tenant?.operations.keys() ?? [])], ['offboard', 'isolate']);
    assert.equal(tenant?.defaultOperation, 'isolate');
  });

  it('is refused as JSON too where a field stands twice, of which one would win', () => {
    const entry = JSON.stringify({ name: 'a', tenantId: id('a'), clientId: id('b'), clientSecretFile: '/s' });
    const twice = entry.replace('"clientSecretFile"', '"clientSecretFile":"/other:", "clientSecretFile"');
    assert.match(faultsOf(`{"tenants":[\n${twice}]}`)[0] ?? '', /^2: is no YAML \(duplicate key\)/);
  });

  it('may hold none', () => {
    assert.deepEqual(parseTenants('tenants: []'), { ok: true, tenants: [] });
  });

  const faults: [name: string, content: string, expected: RegExp][] = [
    ['no YAML', 'tenants: [', /^1: is no YAML/],
    ['the same field twice', edited(['    clientId', '    name: again\n    clientId']), /^5: is no YAML/],
    ['nothing', '', /^1: the file: /],
    ['a name with capitals', edited(['contoso', 'Contoso']), /^3: tenants\[0\]\.name: expected up to 40/],
    ['a tenant id that is none', edited([id('A'), 'x']), /^4: tenants\[0\]\.tenantId: expected a GUID$/],
    [
      'a field that is left out',
      edited([`    clientId: ${id('b')}\n`, '']),
      /^3: tenants\[0\]\.clientId: expected a GUID/,
    ],
    [
      'a field of another name',
      edited(['clientSecretFile', 'clientSecret']),
      /^6: tenants\[0\]: 'clientSecret' is not known here$/,
    ],
    [
      'two credentials',
      edited(['    clientSecretFile', '    federatedTokenFile: /t\n    clientSecretFile']),
      /^3: tenants\[0\]\.name: has no credential, or several/,
    ],
    [
      'plain http to a foreign host',
      edited(['https://login', 'http://login']),
      /^14: tenants\[1\]\.authorityHost: not encrypted/,
    ],
    [
      'an authority with a path',
      edited(['https://login.example', 'https://login.example/common']),
      /^14: tenants\[1\]\.authorityHost: not an origin/,
    ],
    [
      'a part of the API in place of its host',
      edited(['https://defender.example/', 'https://defender.example/api']),
      /^15: tenants\[1\]\.defenderBaseUrl: names a part of the API/,
    ],
    [
      'an unknown operation',
      edited(['initiateInvestigation:\n', 'initiate:\n']),
      /^8: tenants\[0\]\.operations\.initiate: is an unknown operation \(expected one of initiateInvestigation/,
    ],
    [
      'a default that it may not use',
      edited([
        'operations: { initiateInvestigation: {}, startInvestigation: {} }',
        'operations: { initiateInvestigation: {} }',
      ]),
      /^17: tenants\[1\]\.defaultOperation: is none/,
    ],
    [
      'a default that cannot be undone',
      edited(['defaultOperation: startInvestigation', 'defaultOperation: offboard']),
      /^17: tenants\[1\]\.defaultOperation: expected one of (?!.*offboard)/,
    ],
    [
      'no operation but one that cannot be undone',
      edited(
        ['operations: { initiateInvestigation: {}, startInvestigation: {} }', 'operations: { offboard: {} }'],
        ['    defaultOperation: startInvestigation\n', ''],
      ),
      /^17: tenants\[1\]\.operations: name none that can be the default \(expected one of (?!.*offboard)/,
    ],
    [
      'no operation',
      edited(
        ['operations: { initiateInvestigation: {}, startInvestigation: {} }', 'operations: {}'],
        ['    defaultOperation: startInvestigation\n', ''],
      ),
      /^17: tenants\[1\]\.operations: is empty/,
    ],
    [
      'no calls',
      edited(['calls: 60,', 'calls: 0,']),
      /^9: tenants\[0\]\.operations\.startInvestigation\.limits\[0\]\.calls: /,
    ],
    [
      'a window of no length',
      edited(['1m', '0s']),
      /^9: tenants\[0\]\.operations\.startInvestigation\.limits\[0\]\.window: too short/,
    ],
    [
      'one window twice',
      edited(['1m', '60m']),
      /^9: tenants\[0\]\.operations\.startInvestigation\.limits: two limits have the same window/,
    ],
    [
      'a reserve of everything',
      edited(['reserveForCritical: 1', 'reserveForCritical: 60']),
      /^9: tenants\[0\]\.operations\.startInvestigation\.reserveForCritical: leaves nothing/,
    ],
    [
      'a name twice',
      edited(['fabrikam', 'contoso']),
      /^10: tenants\[1\]\.name: is that of tenants\[0\] too$/,
    ],
    [
      'a tenant twice',
      edited([id('c'), id('a')]),
      /^11: tenants\[1\]\.tenantId: is that of tenants\[0\] too$/,
    ],
    [
      'references without end',
      'a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\ntenants: [*c,*c,*c,*c]',
      /repeats too much/,
    ],
  ];
  for (const [name, content, expected] of faults) {
    it(`is refused with the line for ${name}`, () => {
      assert.match(faultsOf(content)[0] ?? '', expected);
    });
  }

  it('is refused with one fault for a tenant that is there twice, however many operations both have', () => {
    assert.equal(faultsOf(edited([id('c'), id('A')])).length, 1);
  });

  it('is refused with all its faults at once, which repeat no value', () => {
    const secret = 'Q~w7secretvalue-that-is-in-the-wrong-place';
    const found = faultsOf(
      edited(
        [id('b'), secret],
        [id('c'), secret],
        ['clientSecretFile', secret],
        ['startInvestigation:', `${secret}:`],
      ),
    );
    assert.ok(found.length >= 4, found.join('\n'));
    assert.ok(!found.join('\n').includes('secretvalue'));
  });

  it('is refused at once also for what is looked at when all fields of a tenant are right', () => {
    const a = `name: a, tenantId: ${id('1')}, clientId: ${id('1')}`;
    const odd = 'defaultOperation: none, operations: { scan: {} }';
    const doubled = 'clientSecretFile: f, federatedTokenFile: f, other: 1';
    const found = faultsOf(`tenants:\n  - { ${a}, ${odd} }\n  - { ${a}, ${doubled} }\n`);
    const about = found.map((fault) => /: (tenants\S+) (\S+ \S+)/.exec(fault)?.slice(1).join(' '));
    assert.deepEqual(about, [
      'tenants[0].defaultOperation: expected one',
      'tenants[0].operations.scan: is an',
      'tenants[0].name: has no',
      "tenants[1]: 'other' is",
      'tenants[1].name: has no',
      'tenants[1].name: is that',
      'tenants[1].tenantId: is that',
    ]);
  });
});

describe('the queues of a tenant', () => {
  it('are one for each operation, the default first, with a key space and a tag of their own', () => {
    const parsed = parseTenants(good);
    assert.ok(parsed.ok);
    const queues = parsed.tenants.flatMap(queuesOf);
    assert.deepEqual(
      queues.map(({ tenant, operation, keySpace }) => [tenant, operation, keySpace]),
      [
        ['contoso', 'initiateInvestigation', `diq:{${id('a')}/initiateInvestigation}`],
        ['contoso', 'startInvestigation', `diq:{${id('a')}/startInvestigation}`],
        ['fabrikam', 'startInvestigation', `diq:{${id('c')}/startInvestigation}`],
        ['fabrikam', 'initiateInvestigation', `diq:{${id('c')}/initiateInvestigation}`],
      ],
    );
    assert.equal(new Set(queues.map(({ tag }) => tag)).size, 4);
    assert.ok(queues.every(({ tag }) => /^[0-9a-f]{8}$/.test(tag)));
  });
});
