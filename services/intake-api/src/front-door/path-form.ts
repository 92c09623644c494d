import type { RequestHandler } from 'express';
import { DefenderError } from './answer-as-defender.ts';

/**
 * Paths as connectors send them to Defender, with what stands in OData keys such as `findbyip(ip='10.0.0.1',timestamp=…)`. As
 * elsewhere each path has one spelling: nothing is percent-encoded, no step is empty or made of dots.
 */
const form = /^(?:\/(?!\.{1,2}(?:[/?]|$))[\w.~$@()',:=-]+)+\/?(?:\?[^#]*)?$/;

export const requireDoorPath: RequestHandler = (request, _response, next) => {
  if (!form.test(request.originalUrl))
    throw new DefenderError(404, 'NotFound', 'The path is not spelt as any that is known here.');
  next();
};
