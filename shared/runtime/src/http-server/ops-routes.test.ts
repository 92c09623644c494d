import assert from 'node:assert/strict';
import express from 'express';
import { Counter, Gauge, Registry } from 'prom-client';
import request from 'supertest';
import { version } from '../build-info.ts';
import { createOpsRouter, type HealthReport, type OpsRouterOptions } from './ops-routes.ts';

const fine: HealthReport = { ok: true, checks: { redis: 'ready' } };

function appWith(options: Partial<OpsRouterOptions> = {}) {
  return express().use(createOpsRouter({ registry: new Registry(), ready: async () => fine, ...options }));
}

describe('the operations routes', () => {
  it('answer /livez with 200 without looking at anything else', async () => {
    const app = appWith({ ready: () => new Promise(() => undefined) });
    await request(app).get('/livez').expect(200, { status: 'ok', version, checks: {} });
  });

  it('answer /readyz with each check and 200 or 503', async () => {
    await request(appWith())
      .get('/readyz')
      .expect(200, { status: 'ok', version, checks: { redis: 'ready' } });
    const app = appWith({ ready: async () => ({ ok: false, checks: { redis: 'lost', queue: 'ready' } }) });
    await request(app)
      .get('/readyz')
      .expect(503, { status: 'unavailable', version, checks: { redis: 'lost', queue: 'ready' } });
  });

  it('answer /readyz within 2 s while a check hangs, without asking it again for every probe', async () => {
    let asked = 0;
    const app = appWith({
      ready: () => {
        asked += 1;
        return new Promise(() => undefined);
      },
    });
    const beganMs = performance.now();
    const probes = [request(app).get('/readyz'), request(app).get('/readyz')];
    for (const { status, body } of await Promise.all(probes)) {
      assert.equal(status, 503);
      assert.match(JSON.stringify(body), /no answer within 1500 ms/);
    }
    assert.ok(performance.now() - beganMs < 2_000);
    assert.equal(asked, 1);
  });

  it('answer /readyz with 503 and no details when a check throws, and ask anew the next time', async () => {
    let healthy = false;
    const app = appWith({
      ready: async () => {
        if (!healthy) throw new Error('redis://user:S3CRET@host');
        return fine;
      },
    });
    const { status, text } = await request(app).get('/readyz');
    assert.equal(status, 503);
    assert.doesNotMatch(text, /S3CRET/);
    healthy = true;
    await request(app).get('/readyz').expect(200);
  });

  it('serve the registry on /metrics', async () => {
    const registry = new Registry();
    new Counter({ name: 'diq_sample_total', help: 'A sample.', registers: [registry] }).inc(3);
    new Counter({ name: 'diq_other_total', help: 'Söme öther.', registers: [registry] }).inc(2);
    const { text, headers, status } = await request(appWith({ registry })).get('/metrics');
    assert.equal(status, 200);
    assert.equal(headers['content-type'], registry.contentType);
    assert.equal(Number(headers['content-length']), Buffer.byteLength(text));
    assert.equal(text.trim(), (await registry.metrics()).trim());
  });

  it('do what else there is to do between two metrics', async () => {
    const registry = new Registry();
    const steps: string[] = [];
    const collecting = (name: string, collect: () => void) =>
      new Gauge({ name, help: name, registers: [registry], collect });
    collecting('first', () => void setImmediate(() => steps.push('other work')));
    collecting('second', () => void steps.push('second'));
    await request(appWith({ registry })).get('/metrics').expect(200);
    assert.deepEqual(steps, ['other work', 'second']);
  });

  for (const [what, collect] of [
    ['fails', () => Promise.reject(new Error('S3CRET'))],
    ['hangs', () => new Promise<void>(() => undefined)],
  ] as const) {
    it(`answer /metrics with 500 and no details when collecting ${what}`, async () => {
      const registry = new Registry();
      new Gauge({ name: 'sample', help: 'Sample.', registers: [registry], collect }).set(1);
      const { status, text } = await request(appWith({ registry, metricsTimeoutMs: 20 })).get('/metrics');
      assert.equal(status, 500);
      assert.doesNotMatch(text, /S3CRET|\.ts/);
    });
  }

  it('are never cached', async () => {
    for (const path of ['/livez', '/readyz', '/metrics']) {
      await request(appWith()).get(path).expect('Cache-Control', 'no-store');
    }
  });
});
