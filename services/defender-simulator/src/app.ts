import express, { type Express, type NextFunction, type Request, type Response } from 'express';

import { type ControlDeps, createControlRoutes } from './control-routes.ts';
import { errorReply } from './defender-reply.ts';
import type { Deliver } from './deliver.ts';
import { createEntraRoutes, type EntraDeps } from './entra.ts';
import { createReadRoutes } from './read-routes.ts';
import { sendReply } from './reply.ts';
import { createStartRoutes } from './start-routes.ts';

export interface AppDeps extends ControlDeps {
  deliver: Deliver;
  clientCertificate: EntraDeps['clientCertificate'];
}

/** Both services and the control routes on one server: their paths do not meet. */
export function createApp(deps: AppDeps): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');

  app.use('/control', createControlRoutes(deps));

  const starts = createStartRoutes({ ...deps, log: deps.calls });
  const reads = createReadRoutes({ ...deps, log: deps.reads });
  // The pinned version first: below /api it would be taken for a resource.
  app.use(['/api/v1.0', '/api'], starts, reads);
  app.use('/api', (req, res) => {
    sendReply(req, res, errorReply(404, 'NotFound', `No resource matches ${req.method} ${req.path}`));
  });

  app.use(createEntraRoutes({ ...deps, log: deps.tokenRequests }));
  app.use((error: Error & { status?: number }, req: Request, res: Response, next: NextFunction) => {
    if (res.headersSent) return next(error);
    const refused = error.status !== undefined && error.status < 500;
    const [status, code] = refused ? ([400, 'BadRequest'] as const) : ([500, 'InternalServerError'] as const);
    sendReply(req, res, errorReply(status, code, error.message));
  });
  return app;
}
