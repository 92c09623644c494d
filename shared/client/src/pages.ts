import { z } from 'zod';
import { DiqError } from './diq-error.ts';
import type { CallOptions, Transport } from './transport.ts';

export interface Page<Value> {
  value: Value[];
  /** Path and query of the next page; absent on the last. */
  nextLink?: string | undefined;
}

/** A list: iterate over its values, or over `pages()`. Each iteration begins anew, and a page is asked for when it is needed. */
export interface Pages<Value> extends AsyncIterable<Value> {
  pages(): AsyncIterable<Page<Value>>;
}

/** @param path of the first page */
export function pagesOf<Value>(
  transport: Transport,
  path: string,
  value: z.ZodType<Value>,
  options: CallOptions = {},
): Pages<Value> {
  const schema = z.strictObject({ value: z.array(value), nextLink: z.string().optional() });
  async function* pages() {
    for (let next: string | undefined = path; next !== undefined;) {
      const { body, headers }: { body: Page<Value>; headers: Headers } = await transport.send({
        ...options,
        method: 'GET',
        path: next,
        schema,
      });
      yield body;
      if (body.nextLink !== undefined && !body.nextLink.startsWith('/v1/')) {
        const httpRequestId = headers.get('x-request-id') ?? '';
        const call = `GET ${next.split('?')[0]}`;
        const detail = 'The link to the next page is no path of the API.';
        throw new DiqError({ code: 'unexpected_answer', detail, httpRequestId, call });
      }
      next = body.nextLink;
    }
  }
  return {
    pages,
    async *[Symbol.asyncIterator]() {
      for await (const page of pages()) yield* page.value;
    },
  };
}
