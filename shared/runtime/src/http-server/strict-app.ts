import express, { Router, type Express } from 'express';

/** An Express app whose routes have one spelling each, and that does not reveal what it is made with. */
export function createStrictApp(): Express {
  const app = express();
  app.enable('case sensitive routing');
  app.enable('strict routing');
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', 'simple');
  // Should answering with an error itself fail, Express shows no stack.
  app.set('env', 'production');
  return app;
}

/** Routes for such an app, spelt as strictly: a router does not take that over from where it is mounted. */
export function createStrictRouter(): Router {
  return Router({ caseSensitive: true, strict: true });
}
