import type { Express, RequestHandler } from 'express';
import { createOpsRouter, type OpsRouterOptions } from './ops-routes.ts';
import { isCanonical, pathOfTarget } from './request-target.ts';
import { createStrictApp } from './strict-app.ts';

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
