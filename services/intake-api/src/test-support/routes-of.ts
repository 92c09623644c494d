import type { Express } from 'express';
import { tenantPrefix } from '../http/middleware/http-metrics.ts';

/** As Express 5 keeps them. */
interface Layer {
  route?: { path: string | string[]; methods: Record<string, boolean> };
  handle?: { stack?: Layer[] };
}

/** Every route of an app, such as `GET /v1/quota`; without those that are the same again, for any operation or under the path of a tenant. */
export function routesOf(app: Express): string[] {
  const walk = (layers: readonly Layer[]): string[] =>
    layers.flatMap(({ route, handle }) => {
      if (!route) return walk(handle?.stack ?? []);
      // What stands for several paths prepares them; each of them has a route.
      if (Array.isArray(route.path)) return [];
      const { path } = route;
      return Object.keys(route.methods)
        .filter((method) => method !== '_all')
        .filter(() => !path.startsWith(`${tenantPrefix}/`) && !path.startsWith('/v1/requests'))
        .map((method) => `${method.toUpperCase()} ${path}`);
    });
  return [...new Set(walk((app.router as unknown as { stack: Layer[] }).stack))];
}
