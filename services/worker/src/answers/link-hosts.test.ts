import assert from 'node:assert/strict';
import { isLinkHost } from './link-hosts.ts';

const baseUrl = 'https://defender.example:8443';
const isAllowed = (link: string) => isLinkHost(new URL(link), baseUrl);

describe('the hosts to which links may lead', () => {
  it('are those of Defender and of the storage of Azure, and the one that is called', () => {
    for (const link of [
      'https://userrequests-us.securitycenter.windows.com:443/safedownload/p.zip?token=x',
      'https://automatedirstrprdneu.blob.core.windows.net/results/1?sig=x',
      'https://defender.example:8443/downloads/1',
    ])
      assert.equal(isAllowed(link), true, link);
  });

  it('are no others, however they are spelt', () => {
    for (const link of [
      'https://evil.example/p.zip',
      'https://blob.core.windows.net.evil.example/p.zip',
      'https://evilblob.core.windows.net/p.zip',
      'https://securitycenter.windows.com@evil.example/p.zip',
      'https://user:secret@x.securitycenter.windows.com/p.zip',
      'http://x.securitycenter.windows.com/p.zip',
      'https://defender.example/p.zip',
      'javascript:alert(1)',
    ])
      assert.equal(isAllowed(link), false, link);
  });
});
