// node healthcheck.mjs URL: ends with 0 when the URL answers 2xx within 3 s, with 1 otherwise.
const [url] = process.argv.slice(2);
const isWell = await fetch(url, { signal: AbortSignal.timeout(3_000) }).then(
  (answer) => answer.ok,
  () => false,
);
process.exitCode = isWell ? 0 : 1;
