import express, { type Request, type Response } from 'express';

/** `invalid`: no JSON at all; `aborted`: the client left before the end of its body. */
export type JsonBody =
  { kind: 'json'; value: unknown } | { kind: 'wrong-type' } | { kind: 'invalid' } | { kind: 'aborted' };

const parse = express.json({ type: () => true, strict: false });

/** Reads a body that has to be declared as application/json. */
export function readJson(req: Request, res: Response): Promise<JsonBody> {
  const declared = /^application\/json *(?:;|$)/i.test(req.get('content-type') ?? '');
  return new Promise((resolve) => {
    parse(req, res, (error?: unknown) => {
      if (error !== undefined) {
        const aborted = error instanceof Error && 'type' in error && error.type === 'request.aborted';
        resolve({ kind: aborted ? 'aborted' : declared ? 'invalid' : 'wrong-type' });
      } else resolve(declared ? { kind: 'json', value: req.body } : { kind: 'wrong-type' });
    });
  });
}
