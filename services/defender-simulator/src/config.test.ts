import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { environmentNames, readSettings, withDefaults, durationMs } from './config.ts';

const credentials = {
  SIMULATOR_TENANT_ID: 'tenant',
  SIMULATOR_CLIENT_ID: 'client',
  SIMULATOR_CLIENT_SECRET: 'very-secret',
};

describe('the settings', () => {
  it('need no more than the credentials', () => {
    const reading = readSettings(credentials);
    assert.deepEqual(reading, {
      kind: 'settings',
      settings: withDefaults({ tenantId: 'tenant', clientId: 'client', clientSecret: 'very-secret' }),
    });
  });

  it('report all faults at once and no value', () => {
    const reading = readSettings({
      SIMULATOR_CLIENT_ID: 'client',
      SIMULATOR_CLIENT_SECRET: '',
      SIMULATOR_PORT: '70000',
      SIMULATOR_WINDOW: 'soon-secret',
      SIMULATOR_WINDOW_KIND: 'sliding',
      SIMULATOR_COUNT_REFUSED: 'yes',
      SIMULATOR_KEY_FILE: 'key.pem',
    });
    assert.equal(reading.kind, 'faults');
    const named = reading.faults.map((fault) => fault.split(' ')[0]);
    assert.deepEqual(named, [
      'SIMULATOR_TENANT_ID',
      'SIMULATOR_CLIENT_SECRET',
      'SIMULATOR_PORT',
      'SIMULATOR_WINDOW',
      'SIMULATOR_WINDOW_KIND',
      'SIMULATOR_COUNT_REFUSED',
      'SIMULATOR_CERT_FILE',
    ]);
    assert.doesNotMatch(reading.faults.join(), /secret(?!s)\b.*soon|soon-secret/);
  });

  it('read durations with and without a unit', () => {
    assert.deepEqual(
      ['250', '250ms', '10s', '15m', '1h'].map(durationMs),
      [250, 250, 10_000, 900_000, 3_600_000],
    );
    assert.deepEqual(['', '1d', '-1s', '1.5s', 'h'].map(durationMs), Array(5).fill(undefined));
  });

  it('split the TLS names', () => {
    const reading = readSettings({ ...credentials, SIMULATOR_TLS_NAMES: 'simulator, 10.0.0.7,' });
    assert.deepEqual(reading.kind === 'settings' && reading.settings.tlsNames, ['simulator', '10.0.0.7']);
  });

  it('stand in the README, all of them and with their defaults', async () => {
    const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
    const rows = [...readme.matchAll(/^\| `(SIMULATOR_\w+)` +\| +(\S+) +\|/gm)];
    const documented = new Map(rows.map(([, name = '', value = '']) => [name, value.replaceAll('`', '')]));
    assert.deepEqual([...documented.keys()].toSorted(), Object.values(environmentNames).toSorted());

    const given = [...documented].filter(([, value]) => value !== 'required' && value !== '–');
    assert.deepEqual(
      readSettings({ ...credentials, ...Object.fromEntries(given) }),
      readSettings(credentials),
    );
    const optional = [...documented].filter(([, value]) => value === '–').map(([name]) => name);
    const absent = readSettings(credentials);
    const values = Object.entries(environmentNames)
      .filter(
        ([key]) =>
          absent.kind === 'settings' && absent.settings[key as keyof typeof environmentNames] === undefined,
      )
      .map(([, name]) => name);
    assert.deepEqual(optional.filter((name) => name !== 'SIMULATOR_TLS_NAMES').toSorted(), values.toSorted());
  });
});
