import assert from 'node:assert/strict';
import { profileOf } from '@diq/contracts/operations/index.ts';
import { readText, settingNames } from './support/read-deploy.ts';

const apps = readText('deploy/azure/container-apps.bicep');
const entra = readText('deploy/azure/entra.bicep');

/** The text of a resource, up to the next one at the left. */
function resource(source: string, name: string): string {
  const [, text] = source.split(new RegExp(`^resource ${name} `, 'm'));
  return (text ?? assert.fail(name)).split(/^(?:resource|output|var) /m)[0] ?? '';
}

describe('deploy/azure', () => {
  for (const [name, service] of [
    ['intake', 'intake-api'],
    ['worker', 'worker'],
  ] as const) {
    it(`gives the ${name} settings that it reads, and secrets out of the vault only`, () => {
      const known = settingNames(service);
      const given = [...resource(apps, name).matchAll(/\{ name: '([A-Z_]+)', (secretRef|value): ([^ }]+)/g)];
      assert.ok(given.length >= 4);
      const [, list = ''] = new RegExp(`^  ${name}: \\[(.*)\\]$`, 'm').exec(apps) ?? [];
      const refs: string[] = [];
      for (const [, setting = '', how, value = ''] of given) {
        assert.ok(known.has(setting), setting);
        assert.equal(how === 'secretRef', /SECRET|KEYS|REDIS_URL/.test(setting), setting);
        if (how === 'secretRef') refs.push(value);
      }
      assert.deepEqual(refs.toSorted(), list.split(', ').toSorted());
      const guide = readText('docs/deploy.md');
      for (const ref of refs) assert.ok(guide.includes(`\`${ref.replaceAll("'", '')}\``), ref);
    });
  }

  it('gives out no secret, and puts none into a parameter', () => {
    for (const source of [apps, entra]) {
      assert.doesNotMatch(source, /^output .*(?:listKeys|secret|key|password)/im);
      assert.doesNotMatch(source, /^param \w*(?:secret|key|password)/im);
      assert.equal(source.split('{').length, source.split('}').length);
      assert.equal(source.split('[').length, source.split(']').length);
    }
  });

  it('asks of Redis what the service needs, as far as a managed one can give it', () => {
    const database = resource(apps, 'database');
    for (const part of ["evictionPolicy: 'NoEviction'", "clientProtocol: 'Encrypted'", 'aofEnabled: true'])
      assert.ok(database.includes(part), part);
    assert.ok(resource(apps, 'redis').includes("publicNetworkAccess: 'Disabled'"));
  });

  it('gives the application the role of the default operation and that of its reads, and no other', () => {
    const [, list = ''] = /^param roles string\[\] = \[([^\]]+)\]/m.exec(entra) ?? [];
    const roles = [...list.matchAll(/'([^']+)'/g)].map(([, role = '']) => role);
    const { requiredRole } = profileOf('initiateInvestigation');
    assert.deepEqual(roles.toSorted(), [requiredRole, 'Machine.Read.All'].toSorted());
    assert.match(entra, /'fc780465-2017-40d4-a0c5-307022471b92'/);
    const subject = 'system:serviceaccount:defender-investigation-queue:worker';
    assert.ok(entra.includes(subject) && readText('docs/deploy.md').includes(subject));
  });
});
