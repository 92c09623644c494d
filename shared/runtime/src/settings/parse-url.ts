/** The URL that `text` is, or undefined when it is none. (`URL.parse` is missing in some versions we run on.) */
export function parseUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}
