import assert from 'node:assert/strict';
import { SettingsError, type Env } from '@diq/runtime/settings/read-settings.ts';
import { readIntakeSettings } from './config.ts';
import { keySetting } from '../test-support/credentials.ts';

const usable = {
  REDIS_URL: 'redis://127.0.0.1:6379',
  INTAKE_API_KEYS: keySetting,
  AZURE_TENANT_ID: '0FBE4F1A-5E8A-4D4B-9A3C-0A1B2C3D4E5F',
};
const secretOf = (text: string) => `whsec_${Buffer.from(text).toString('base64')}`;
const [older, newer] = [secretOf('the older key of 24 bytes'), secretOf('the newer key of 24 bytes')];

function faultsOf(env: Env): readonly string[] {
  try {
    readIntakeSettings({ ...usable, ...env });
  } catch (error) {
    if (error instanceof SettingsError) return error.faults;
    throw error;
  }
  return [];
}

describe('the settings of callbacks', () => {
  it('leave them off as long as no host is named', () => {
    assert.equal(readIntakeSettings({ ...usable, CALLBACK_SECRET: older }).callbacks, undefined);
  });

  it('need a secret as soon as one is', () => {
    assert.match(
      faultsOf({ CALLBACK_ALLOWED_HOSTS: 'soar.example' }).join(),
      /^CALLBACK_SECRET: not set .*whsec_/,
    );
  });

  it('are strict unless they say otherwise', () => {
    const env = { CALLBACK_ALLOWED_HOSTS: 'soar.example/, *.corp.example:8443/in/', CALLBACK_SECRET: older };
    assert.deepEqual(readIntakeSettings({ ...usable, ...env }).callbacks, {
      allowedHosts: [
        { hostname: 'soar.example', port: '', isWildcard: false, path: '' },
        { hostname: 'corp.example', port: '8443', isWildcard: true, path: '/in/' },
      ],
      secrets: [older],
      maxPerMinute: 60,
      allowHttp: false,
      allowPrivate: false,
    });
  });

  it('take two secrets during a rotation', () => {
    const env = { CALLBACK_ALLOWED_HOSTS: 'soar.example', CALLBACK_SECRET: `${newer}, ${older}` };
    assert.deepEqual(readIntakeSettings({ ...usable, ...env }).callbacks?.secrets, [newer, older]);
  });

  it('allow no domain below which everybody may have a name', () => {
    const open = [
      '*.co.uk',
      '*.com.au',
      '*.azurewebsites.net',
      '*.github.io',
      '*.CO.UK',
      '*.co.uk.',
      '*.co.uk:8443',
    ];
    const faults = faultsOf({ CALLBACK_ALLOWED_HOSTS: open.join(), CALLBACK_SECRET: older });
    assert.equal(faults.length, open.length);
    for (const fault of faults) assert.match(fault, /^CALLBACK_ALLOWED_HOSTS: entry \d lets everybody in/);
    const own = [
      '*.contoso.co.uk',
      '*.contoso.azurewebsites.net',
      '*.corp.local',
      'contoso.github.io',
      '*.corp.example',
    ];
    assert.deepEqual(faultsOf({ CALLBACK_ALLOWED_HOSTS: own.join(), CALLBACK_SECRET: older }), []);
  });

  it('are refused with all faults at once, without repeating a secret', () => {
    const secret = secretOf('too short');
    const faults = faultsOf({
      CALLBACK_ALLOWED_HOSTS: 'https://soar.example,*,*.com,a b,soar.example/a/../b',
      CALLBACK_SECRET: `${secret},s3cret-in-clear,${older}`,
      CALLBACK_MAX_PER_MINUTE: '0',
      CALLBACK_ALLOW_HTTP: 'perhaps',
      CALLBACK_ALLOW_PRIVATE: 'perhaps',
    });
    assert.deepEqual(
      faults.map((fault) => /^[A-Z_]+: (?:entry \d|holds \d|n\w+)/.exec(fault)?.[0]),
      [
        ...[1, 2, 3, 4, 5].map((n) => `CALLBACK_ALLOWED_HOSTS: entry ${n}`),
        'CALLBACK_SECRET: entry 1',
        'CALLBACK_SECRET: entry 2',
        'CALLBACK_SECRET: holds 3',
        'CALLBACK_MAX_PER_MINUTE: not',
        'CALLBACK_ALLOW_HTTP: neither',
        'CALLBACK_ALLOW_PRIVATE: neither',
      ],
    );
    assert.ok(!faults.some((fault) => fault.includes(secret) || fault.includes('s3cret')));
  });
});
