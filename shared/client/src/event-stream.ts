/** More than any state document has. */
const maxEventChars = 4 * 1_024 * 1_024;

/** The data of server-sent events, one after the other. @throws RangeError for one beyond all measure */
export async function* eventsIn(response: Response): AsyncGenerator<string> {
  if (response.body === null) return;
  const decoder = new TextDecoder();
  let unread = '';
  for await (const bytes of response.body as AsyncIterable<Uint8Array>) {
    unread += decoder.decode(bytes, { stream: true });
    const events = unread.split('\n\n');
    unread = events.pop() ?? '';
    if (unread.length > maxEventChars) throw new RangeError('an event is too large');
    yield* events.map(dataOf).filter((data) => data !== '');
  }
}

function dataOf(event: string): string {
  const lines = event.split('\n').filter((line) => line.startsWith('data:'));
  return lines.map((line) => line.slice('data:'.length).trimStart()).join('\n');
}
