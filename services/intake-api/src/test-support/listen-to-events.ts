/** A server-sent event as it arrived; comments have the name `comment`. */
export interface SentEvent {
  name: string;
  data: string;
}

export interface EventReader {
  readonly response: Response;
  /** The next one of this name; those before it are passed over. Rejects when the stream ends before. */
  next(name: string): Promise<SentEvent>;
  /** Resolves when the service has ended the stream. */
  ended(): Promise<void>;
  close(): Promise<void>;
}

/** Listens to `GET /v1/events` with these headers, over a connection of its own. */
export async function listenToEvents(
  url: string,
  headers: Readonly<Record<string, string>>,
): Promise<EventReader> {
  const abort = new AbortController();
  const response = await fetch(`${url}/v1/events`, { headers, signal: abort.signal });
  if (!response.body) throw new Error('an answer without a body');
  const events = readEvents(response.body);

  return {
    response,
    async next(name) {
      for (;;) {
        const { done, value } = await events.next();
        if (done) throw new Error(`the stream ended before an event '${name}'`);
        if (value.name === name) return value;
      }
    },
    async ended() {
      while (!(await events.next()).done);
    },
    async close() {
      abort.abort();
      await events.return(undefined).catch(() => {});
    },
  };
}

async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<SentEvent, void, undefined> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true });
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) yield parseEvent(block);
  }
}

function parseEvent(block: string): SentEvent {
  const fields = new Map(
    block.split('\n').map((line): [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    }),
  );
  const comment = fields.get('');
  if (comment !== undefined) return { name: 'comment', data: comment };
  return { name: fields.get('event') ?? '', data: fields.get('data') ?? '' };
}
