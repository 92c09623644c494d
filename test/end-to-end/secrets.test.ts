import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { request } from 'undici';
import { allOutput, forgetOutput } from '@diq/testing/service-process.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { readAllKeys } from './support/read-all-keys.ts';
import { machineIds, startStack } from './support/stack.ts';
import type { Stack } from './support/stack.ts';

/** Anything that has the form of an access token of any issuer. */
const tokenForm = /eyJ[\w-]{8,}\.[\w-]{8,}/;

describe('secrets, in a run that meets success and every kind of failure', function () {
  this.timeout(60_000);
  const redis = useEmbeddedRedis();
  const answers: string[] = [];
  let stack: Stack;
  const callerToken = `eyJhbGciOiJSUzI1NiJ9.${randomBytes(24).toString('hex')}.${randomBytes(24).toString('hex')}`;
  const more = {
    redisPassword: randomBytes(24).toString('hex'),
    wrongRedisPassword: randomBytes(24).toString('hex'),
    callbackSecret: `whsec_${randomBytes(32).toString('base64')}`,
    collectorKey: randomBytes(24).toString('hex'),
    callerToken,
  };
  let stored = '';
  let metrics = '';

  before(async () => {
    forgetOutput();
    await redis.client.call('ACL', 'SETUSER', 'queue', 'on', `>${more.redisPassword}`, '~*', '&*', '+@all');
    const { host } = new URL(redis.url);
    stack = await startStack({
      redisUrl: `redis://queue:${more.redisPassword}@${host}`,
      env: {
        CALLBACK_ALLOWED_HOSTS: 'soar.example',
        CALLBACK_SECRET: more.callbackSecret,
        // No receiver is there: the error must not quote the headers.
        OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1',
        OTEL_EXPORTER_OTLP_HEADERS: `x-collector=${more.collectorKey}`,
      },
      limit: 10,
      windowMs: 1_000,
      workers: 1,
      callTimeoutMs: 500,
    });
    const [started, hung, broken, refused, reset, again] = machineIds(6) as [string, ...string[]];
    const faults = [
      { target: 'token', times: 1, action: { kind: 'token-refused', error: 'AADSTS7000215' } },
      { target: 'start', times: 1, when: { machineId: hung }, action: { kind: 'hang' } },
      { target: 'start', times: 1, when: { machineId: broken }, action: { kind: 'status', status: 500 } },
      { target: 'start', times: 1, when: { machineId: refused }, action: { kind: 'status', status: 400 } },
      { target: 'start', times: 1, when: { machineId: reset }, action: { kind: 'reset', when: 'after' } },
    ];
    for (const fault of faults) await stack.control.addFault(fault);
    const first = await stack.api.postBatch(
      [started, hung, broken, refused, reset].filter((id) => id !== undefined),
    );
    await stack.api.untilCompleted(first.id, 30_000);
    await stack.control.revokeTokens();
    const second = await stack.api.postBatch([again ?? '']);
    await stack.api.untilCompleted(second.id, 30_000);

    for (const { id = '' } of [...first.items, ...second.items]) {
      answers.push(JSON.stringify(await stack.api.findRequest(id)));
    }
    for (const [path, headers] of [
      ['/v1/quota', { authorization: `Bearer ${stack.secrets.apiKey}` }],
      ['/v1/quota', { authorization: `Bearer ${stack.secrets.apiKey}x` }],
      ['/v1/nowhere', { 'x-api-key': stack.secrets.apiKey }],
    ] as const) {
      answers.push(await (await request(`${stack.api.origin}${path}`, { headers })).body.text());
    }
    await postWithSecretsInHeaders(again ?? '');
    await stack.addIntake({ REDIS_URL: `redis://queue:${more.wrongRedisPassword}@${host}` });
    stored = await readAllKeys(redis.client);
    metrics = await stack.api.metrics();
    for (const { ready } of stack.workers) {
      metrics += await (await request(`http://127.0.0.1:${ready.port}/metrics`)).body.text();
    }
    await stack.stop();
  });

  /** A playbook that is set up wrongly, with credentials where something else belongs. */
  async function postWithSecretsInHeaders(machineId: string) {
    const traceparent = `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`;
    for (const headers of [
      { traceparent: `Bearer ${callerToken}` },
      { traceparent: stack.secrets.apiKey, tracestate: `key=${stack.secrets.apiKey}` },
      { traceparent: `${traceparent}-${callerToken}` },
      { traceparent, tracestate: `vendor=${callerToken}` },
      { 'x-request-id': callerToken, baggage: `token=${callerToken}`, cookie: `session=${callerToken}` },
    ]) {
      const { statusCode, body } = await request(`${stack.api.origin}/v1/investigations?key=${callerToken}`, {
        method: 'POST',
        headers: {
          'x-api-key': stack.secrets.apiKey,
          'content-type': 'application/json',
          ...headers,
        },
        body: JSON.stringify({ machineId, comment: 'again' }),
      });
      answers.push(await body.text());
      if (statusCode !== 202) throw new Error(`answered ${statusCode}`);
    }
  }

  it('met what it was meant to meet', () => {
    for (const outcome of [
      'started',
      'timeout',
      'server_error',
      'refused',
      'connection_lost',
      'token_rejected',
    ]) {
      assert.match(
        metrics,
        new RegExp(`diq_defender_calls_total\\{.*outcome="${outcome}"\\} [1-9]`),
        outcome,
      );
    }
    for (const outcome of ['found', 'retried', 'unknown']) {
      assert.match(
        metrics,
        new RegExp(`diq_reconciliations_total\\{.*outcome="${outcome}"\\} [1-9]`),
        outcome,
      );
    }
    assert.match(metrics, /diq_token_requests_total\{.*outcome="rejected"\} [1-9]/);
    assert.match(allOutput(), /WRONGPASS/);
    assert.match(allOutput(), /"msg":"request moved"/);
    assert.match(allOutput(), /"msg":"(traces cannot be sent|the last traces were not sent)"/);
  });

  it('reach no log line', () => findNone(allOutput()));
  it('reach no key or value in Redis', () => findNone(stored));
  it('reach no answer of the API', () => findNone(answers.join('\n')));
  it('reach no metric', () => findNone(metrics));

  function findNone(text: string) {
    assert.ok(text.length > 100, 'there is something to search');
    for (const [name, secret] of Object.entries({ ...stack.secrets, ...more })) {
      assert.ok(!text.includes(secret), `found the ${name} in: ${lineWith(text, secret)}`);
    }
    assert.doesNotMatch(text, tokenForm);
  }
});

function lineWith(text: string, secret: string): string {
  return text.split('\n').find((line) => line.includes(secret)) ?? '';
}
