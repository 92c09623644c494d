import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { expectProblem } from '../../test-support/expect-problem.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { item } from '../../test-support/items.ts';

const megabyte = 1_024 * 1_024;

describe('POST /v1/batches with what no batch can be', () => {
  const intake = useIntake(useEmbeddedRedis());

  const shapes: [string, string, RegExp][] = [
    ['millions of empty objects', '{},', /more than 400000 values/],
    ['millions of empty arrays', '[],', /more than 400000 values/],
    ['millions of numbers', '0,', /more than 400000 values/],
    ['brackets inside one another', '[', /nested deeper/],
    ['an object of very many fields', `{${'"a":0,'.repeat(2_033)}"a":0},`, /more fields than/],
  ];
  for (const [name, piece, detail] of shapes) {
    it(`refuses ${name}, in gzip too, before anything is made of it`, async () => {
      const text = `{"requests":[${piece.repeat(Math.ceil((2 * megabyte) / piece.length))}`;
      for (const [body, headers] of [
        [text, {}],
        [gzipSync(text, { level: 1 }), { 'Content-Encoding': 'gzip' }],
      ] as const) {
        const response = await intake.postRaw('/v1/batches', body, headers);
        const problem = response.body as { code: string; detail: string };
        // Brackets alone grow by more than is taken.
        if (problem.code === 'body_too_large') continue;
        assert.equal(problem.code, 'invalid_request');
        assert.match(problem.detail, detail);
      }
    });
  }

  const codings = { gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync };
  for (const [coding, compress] of Object.entries(codings)) {
    it(`refuses what grows by more than 200 times in ${coding}`, async () => {
      const padded = JSON.stringify({ requests: [item(1)] }).padEnd(16 * megabyte);
      const response = await intake.postRaw('/v1/batches', compress(padded), { 'Content-Encoding': coding });
      assert.match(expectProblem(response, 'body_too_large').detail ?? '', /200 times/);
    });

    it(`takes in ${coding} what grows as much as items do that share a long comment`, async () => {
      const comment = randomBytes(2_000).toString('hex');
      const requests = Array.from({ length: 500 }, () => ({
        machineId: randomBytes(20).toString('hex'),
        comment,
      }));
      const packed = compress(JSON.stringify({ requests }));
      const response = await intake.postRaw('/v1/batches', packed, { 'Content-Encoding': coding });
      assert.equal(response.status, 202, response.text);
    });
  }
});
