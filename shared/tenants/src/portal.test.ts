import assert from 'node:assert/strict';
import { portalOf } from './portal.ts';

describe('the portal of Defender', () => {
  it('is that of the cloud whose API is called, where its host names one cloud alone', () => {
    const known = 'https://security.microsoft.com';
    for (const host of [
      'api.securitycenter.windows.com',
      'api.securitycenter.microsoft.com',
      'api-eu.securitycenter.microsoft.com',
      'api.security.microsoft.com',
      'eu.api.security.microsoft.com',
      'api-gcc.securitycenter.microsoft.us',
    ])
      assert.equal(portalOf(`https://${host}/`), known, host);
    for (const host of [
      // GCC High and DoD.
      'api-gov.securitycenter.microsoft.us',
      'simulator:8443',
      'api.security.microsoft.com.example',
      'api.securitycenter.microsoft.comx',
    ])
      assert.equal(portalOf(`https://${host}/`), undefined, host);
  });
});
