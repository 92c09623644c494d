import assert from 'node:assert/strict';
import { parseBaseUrl } from './address.ts';

describe('base URL of the Defender API', () => {
  it('is an https address, with or without a path', () => {
    const plain = parseBaseUrl('https://api.securitycenter.windows.com');
    assert.deepEqual(plain, { origin: 'https://api.securitycenter.windows.com', pathPrefix: '' });
    const deep = parseBaseUrl('https://gateway.example:8443/defender/');
    assert.deepEqual(deep, { origin: 'https://gateway.example:8443', pathPrefix: '/defender' });
  });

  it('may be plain http on this machine alone', () => {
    for (const url of ['http://127.0.0.1:8443', 'http://localhost', 'http://[::1]:1']) parseBaseUrl(url);
    for (const url of [
      'http://example.com',
      'http://127.0.0.1.example.com',
      'http://10.0.0.1',
      'ftp://localhost',
    ]) {
      assert.throws(() => parseBaseUrl(url), RangeError, url);
    }
  });

  it('holds nothing but scheme, host, port and path, and is not repeated when it does', () => {
    for (const url of ['https://me:hunter2@example.com', 'https://example.com/?hunter2', 'hunter2', '']) {
      assert.throws(
        () => parseBaseUrl(url),
        (error: Error) => error instanceof RangeError && !error.message.includes('hunter2'),
      );
    }
  });
});
