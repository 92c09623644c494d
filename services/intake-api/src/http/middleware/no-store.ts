import type { RequestHandler } from 'express';

/** Every answer is about one moment and one caller: no cache may keep it. */
export const noStore: RequestHandler = (_request, response, next) => {
  response.set('Cache-Control', 'no-store');
  next();
};
