import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Response, Router, Express, RequestHandler } from 'express';
import type { Registry } from 'prom-client';
import { version } from '../build-info.ts';
import { metricsText, type MetricsSource } from './metrics-text.ts';
import { opsPaths, isCanonical, pathOfTarget } from './request-target.ts';
import { createStrictRouter, createStrictApp } from './strict-app.ts';
import { cachedReading } from '../async/memoize.ts';
import { TimeoutError, within } from '../async/with-timeout.ts';

/** What a service can say about its own state: each check by name, in a few words without secrets. */
export interface HealthReport {
  readonly ok: boolean;
  readonly checks: Readonly<Record<string, string>>;
}

/** What the operations routes report on. */
export interface OpsRouterOptions {
  readonly registry: MetricsSource & Pick<Registry, 'contentType'>;
  /** Whether work can be taken now. */
  readonly ready: () => Promise<HealthReport>;
  /** One collector that never answers would otherwise hang every scrape. Default 5 s. */
  readonly metricsTimeoutMs?: number;
}

/** So that an answer is out within 2 s. */
const readyTimeoutMs = 1_500;

/** `GET /livez`, `/readyz` and `/metrics`, none of which needs a credential or may be cached. */
export function createOpsRouter(options: OpsRouterOptions): Router {
  const router = createStrictRouter();
  const { registry, ready, metricsTimeoutMs = 5_000 } = options;
  // Probes that come while a check hangs share it, instead of piling further ones onto what is already stuck; scrapes
  // share the collection and its text.
  const checkReady = cachedReading(ready, 0);
  const collect = cachedReading(() => within(metricsText(registry), metricsTimeoutMs), 0);

  router.get([...opsPaths], (_request, response, next) => {
    response.set('Cache-Control', 'no-store');
    next();
  });
  router.get('/livez', (_request, response) => {
    // It answers, so it lives.
    sendReport(response, { ok: true, checks: {} });
  });
  router.get('/readyz', async (_request, response) => {
    sendReport(response, await within(checkReady(), readyTimeoutMs).catch(notReady));
  });
  router.get('/metrics', async (_request, response) => {
    const text = await collect().catch(() => undefined);
    if (!text) {
      response.status(500).type('text').send('metrics could not be collected\n');
      return;
    }
    text.hold();
    const bytes = text.pieces.reduce((sum, piece) => sum + piece.length, 0);
    response.set({ 'Content-Type': registry.contentType, 'Content-Length': String(bytes) });
    // As fast as they are taken: what is not yet is held once for all who share it.
    await pipeline(Readable.from(text.pieces), response).catch(() => undefined);
    text.letGo();
  });
  return router;
}

function notReady(error: unknown): HealthReport {
  const isLate = error instanceof TimeoutError;
  return { ok: false, checks: { readiness: isLate ? error.message : 'could not be checked' } };
}

function sendReport(response: Response, report: HealthReport): void {
  response
    .status(report.ok ? 200 : 503)
    .json({ status: report.ok ? 'ok' : 'unavailable', version, checks: report.checks });
}

/** The operations routes alone, for a service that has no others. */
export function createOpsApp(options: OpsRouterOptions): Express {
  const ops = createOpsRouter(options);
  const app = createStrictApp();
  app.use((request, response, next) =>
    isCanonical(request.originalUrl) ? ops(request, response, next) : next(),
  );
  app.use(notFound);
  return app;
}

const notFound: RequestHandler = (request, response) => {
  response
    .status(404)
    .set('Cache-Control', 'no-store')
    .type('application/problem+json')
    .json({
      type: 'about:blank',
      title: 'Not Found',
      status: 404,
      instance: pathOfTarget(request.originalUrl),
    });
};
