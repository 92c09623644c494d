import type { Response, Router, Express, RequestHandler } from 'express';
import type { Registry } from 'prom-client';
import { version } from '../build-info.ts';
import { opsPaths, isCanonical, pathOfTarget } from './request-target.ts';
import { createStrictRouter, createStrictApp } from './strict-app.ts';
import { within } from '../async/with-timeout.ts';

/** What a service can say about its own state: each check by name, in a few words without secrets. */
export interface HealthReport {
  readonly ok: boolean;
  readonly checks: Readonly<Record<string, string>>;
}

/** What the operations routes report on. */
export interface OpsRouterOptions {
  readonly registry: Pick<Registry, 'contentType' | 'metrics'>;
  /** Whether work can be taken now. */
  readonly ready: () => Promise<HealthReport>;
  /** Whether the process should go on living. Default: it answers, so it lives. */
  readonly live?: () => HealthReport;
  /** Default 1500 ms, so that an answer is out within 2 s. */
  readonly readyTimeoutMs?: number;
  /** Default 5 s. */
  readonly metricsTimeoutMs?: number;
}

/** `GET /livez`, `/readyz` and `/metrics`, none of which needs a credential or may be cached. */
export function createOpsRouter(options: OpsRouterOptions): Router {
  const router = createStrictRouter();
  const checkReady = createReadyCheck(options.ready, options.readyTimeoutMs ?? 1_500);
  const collect = createCollection(options.registry, options.metricsTimeoutMs ?? 5_000);

  router.get([...opsPaths], (_request, response, next) => {
    response.set('Cache-Control', 'no-store');
    next();
  });
  router.get('/livez', (_request, response) => {
    sendReport(response, options.live?.() ?? { ok: true, checks: {} });
  });
  router.get('/readyz', async (_request, response) => {
    sendReport(response, await checkReady());
  });
  router.get('/metrics', async (_request, response) => {
    try {
      response.set('Content-Type', options.registry.contentType).send(await collect());
    } catch {
      response.status(500).type('text').send('metrics could not be collected\n');
    }
  });
  return router;
}

// Probes that come while a check hangs share it, instead of piling further ones onto what is already stuck.
function createReadyCheck(
  ready: () => Promise<HealthReport>,
  timeoutMs: number,
): () => Promise<HealthReport> {
  let pending: Promise<HealthReport> | undefined;
  return async () => {
    pending ??= check().finally(() => (pending = undefined));
    try {
      return await within(pending, timeoutMs);
    } catch {
      return { ok: false, checks: { readiness: `no answer within ${timeoutMs} ms` } };
    }
  };

  async function check(): Promise<HealthReport> {
    try {
      return await ready();
    } catch {
      return { ok: false, checks: { readiness: 'could not be checked' } };
    }
  }
}

/** Scrapes that come while metrics are collected share the collection and its bytes. */
function createCollection(registry: OpsRouterOptions['registry'], timeoutMs: number): () => Promise<Buffer> {
  let pending: Promise<Buffer> | undefined;
  return () => (pending ??= collect().finally(() => (pending = undefined)));

  async function collect(): Promise<Buffer> {
    // One collector that never answers would otherwise hang every scrape.
    return Buffer.from(await within(registry.metrics(), timeoutMs));
  }
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
