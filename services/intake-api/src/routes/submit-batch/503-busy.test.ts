import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { keys } from '../../test-support/credentials.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { item } from '../../test-support/items.ts';
import { openRequest } from '../../test-support/raw-request.ts';

const megabyte = 1_024 * 1_024;
const small = JSON.stringify({ requests: [item(1)] });

describe('POST /v1/batches while large bodies are in hand', () => {
  const intake = useIntake(useEmbeddedRedis());
  const begin = (key: string, megabytes: number) =>
    openRequest(intake.url, 'POST /v1/batches', {
      'X-API-Key': key,
      'Content-Type': 'application/json',
      'Content-Length': megabytes * megabyte,
    });

  /** The answer to a body of so many bytes of which none is sent; `undefined` where it is awaited. */
  async function refusalOf(megabytes: number) {
    const request = await begin(keys.playbook, megabytes);
    const answer = await Promise.race([request.answered, intake.get('/v1/quota').then(() => undefined)]);
    request.close();
    return answer;
  }

  it('is answered 503 with Retry-After before anything of it is read, and taken when there is room again', async () => {
    const first = await begin(keys.playbook, 60);
    const { status, head } = await waitFor(() => refusalOf(30), { what: 'the second to be refused' });
    assert.equal(status, 503);
    assert.match(head, /^retry-after: 5$/im);
    first.close();
    await waitFor(async () => (await refusalOf(30)) === undefined, { what: 'room to be there again' });
  });

  it('has a small one of the same caller, and of every other caller, taken', async () => {
    const first = await begin(keys.playbook, 64);
    await intake.postRaw('/v1/batches', small).expect(202);
    await intake.postRaw('/v1/batches', small, { 'X-API-Key': keys.operator }).expect(202);
    first.close();
  });

  it('counts what is read without being announced', async () => {
    const first = await begin(keys.playbook, 60);
    const unannounced = await openRequest(intake.url, 'POST /v1/batches', {
      'X-API-Key': keys.playbook,
      'Content-Type': 'application/json',
      'Transfer-Encoding': 'chunked',
    });
    const comment = JSON.stringify({ ...item(1), comment: 'x'.repeat(4_000) });
    const items = `${comment},`.repeat(250);
    const chunk = (text: string) => unannounced.send(`${text.length.toString(16)}\r\n${text}\r\n`);
    chunk('{"requests":[');
    for (let sent = 0; sent < 30; sent += 1) chunk(items);
    assert.equal((await unannounced.answered).status, 503);
    first.close();
    unannounced.close();
  });
});

for (const how of ['announced', 'packed'] as const) {
  describe(`POST /v1/batches while another caller's large body is ${how} and its end is not sent`, () => {
    const intake = useIntake(useEmbeddedRedis());
    const begin = (length: number, headers: Readonly<Record<string, string>> = {}) =>
      openRequest(intake.url, 'POST /v1/batches', {
        'X-API-Key': keys.playbook,
        'Content-Type': 'application/json',
        'Content-Length': length,
        ...headers,
      });

    /** Of 60 MB. */
    async function beginLarge() {
      if (how === 'announced') return begin(60 * megabyte);
      const packed = gzipSync(Buffer.alloc(60 * megabyte, randomBytes(8_192)), { level: 1 });
      const request = await begin(packed.length, { 'Content-Encoding': 'gzip' });
      request.send(packed.subarray(0, -8));
      return request;
    }

    it('is taken, and the other is answered 503 with Retry-After', async () => {
      const first = await beginLarge();
      const second = await begin(15 * megabyte);
      const body = JSON.stringify({ requests: [{ ...item(1), comment: 'x'.repeat(6 * megabyte) }, item(2)] });
      // Until the large one has grown so far that both have no room.
      const { status, head } = await waitFor(
        async () => {
          await intake.postRaw('/v1/batches', body, { 'X-API-Key': keys.operator }).expect(202);
          return await Promise.race([first.answered, Promise.resolve(undefined)]);
        },
        { what: 'the large one to give way' },
      );
      assert.equal(status, 503);
      assert.match(head, /^retry-after: 5$/im);
      first.close();
      second.close();
    });
  });
}

describe('POST /v1/batches by somebody who may not', () => {
  const intake = useIntake(useEmbeddedRedis());

  for (const [name, key, status] of [
    ['without a known key', 'not-a-key', 401],
    ['with a key that may only read', keys.reader, 403],
  ] as const) {
    it(`is refused ${name} before a byte of the body has come`, async () => {
      const request = await openRequest(intake.url, 'POST /v1/batches', {
        'X-API-Key': key,
        'Content-Type': 'application/json',
        'Content-Length': 60 * megabyte,
      });
      assert.equal((await request.answered).status, status);
      request.close();
    });
  }
});
