import { setImmediate as afterOthers } from 'node:timers/promises';
import type { MetricObjectWithValues, MetricValueWithName, Registry } from 'prom-client';

/** What is needed of a registry. */
export type MetricsSource = Pick<Registry, 'getMetricsAsArray' | 'getSingleMetric'>;

type Labels = Readonly<Record<string, string | number | undefined>>;

interface Collected extends Omit<MetricObjectWithValues<MetricValueWithName<string>>, 'values'> {
  /** The buckets of one series of a histogram have its labels in common: one object for all of them. */
  values: (MetricValueWithName<string> & { sharedLabels?: Labels })[];
}

/** A few ms of work, and some tens of kilobytes. */
const seriesAtOnce = 250;

/** What a piece of usual series fits into. */
const blockBytes = 64 * 1_024;

/** Kept for the next scrape, 8 MB: one of a thousand queues. */
const mostBlocks = 128;

/** Memory of texts that nobody sends any more, of which nothing else has a part. Node would give it back with a collection of garbage only, tens of megabytes late. */
const freeBlocks: Buffer[] = [];

/** Metrics as they are sent. */
export interface MetricsText {
  readonly pieces: readonly Buffer[];
  /** Each sender calls `hold` before its first piece and `letGo` after its last. When all have let go, the memory is used again. */
  hold(): void;
  letGo(): void;
}

/**
 * All metrics in Prometheus' text format 0.0.4, in pieces of 250 series, between which everything else has its turn.
 * Of a thousand queues it is 50,000 series and five megabytes; prom-client's own writer makes each metric at once,
 * and takes three times as long, since it makes lists of each series' labels.
 * @throws what a metric's own collector throws
 */
export async function metricsText(source: MetricsSource): Promise<MetricsText> {
  const pieces: Buffer[] = [];
  const blocks: Buffer[] = [];
  let senders = 0;
  for (const { name } of source.getMetricsAsArray()) {
    const metric = await collect(source.getSingleMetric(name));
    if (metric === undefined) continue;
    pieces.push(pieceOf(headOf(metric), blocks));
    for (let first = 0; first < metric.values.length; first += seriesAtOnce) {
      pieces.push(pieceOf(seriesOf(metric, first), blocks));
      await afterOthers();
    }
    pieces.push(lineEnd);
  }
  return {
    pieces,
    hold: () => void (senders += 1),
    letGo() {
      senders -= 1;
      if (senders > 0) return;
      pieces.length = 0;
      freeBlocks.push(...blocks.splice(0).slice(0, mostBlocks - freeBlocks.length));
    },
  };
}

const lineEnd = Buffer.from('\n');

/** @param blocks gets the memory that was set aside for this piece alone */
function pieceOf(text: string, blocks: Buffer[]): Buffer {
  if (text.length < 4_096 || Buffer.byteLength(text) > blockBytes) return Buffer.from(text);
  const block = freeBlocks.pop() ?? Buffer.allocUnsafeSlow(blockBytes);
  blocks.push(block);
  return block.subarray(0, block.write(text));
}

type Metric = ReturnType<MetricsSource['getSingleMetric']> & { getForPromString?(): Promise<Collected> };

/** For prom-client's own writer a histogram does not copy the labels of a series for each of its buckets. */
async function collect(metric: Metric | undefined): Promise<Collected | undefined> {
  return await (metric?.getForPromString?.() ?? metric?.get());
}

function headOf({ name, help, type }: Collected): string {
  return `# HELP ${name} ${escapeText(help)}\n# TYPE ${name} ${type}\n`;
}

/** Joined, since text that is added up is kept in its parts, of which there are ten times as many bytes. */
function seriesOf({ name, values }: Collected, first: number): string {
  let [shared, sharedText]: [Labels | undefined, string] = [undefined, ''];
  const lines = values
    .slice(first, first + seriesAtOnce)
    .map(({ metricName = name, labels, sharedLabels, value }) => {
      if (sharedLabels !== shared) {
        shared = sharedLabels;
        sharedText = sharedLabels === undefined ? '' : labelsOf(sharedLabels);
      }
      const own = labelsOf(labels);
      const all = own === '' || sharedText === '' ? own + sharedText : `${own},${sharedText}`;
      return `${metricName}${all === '' ? '' : `{${all}}`} ${numberOf(value)}\n`;
    });
  return lines.join('');
}

function labelsOf(labels: Labels): string {
  let text = '';
  for (const name in labels) {
    const value = labels[name];
    if (value === undefined) continue;
    text += `${text === '' ? '' : ','}${name}="${typeof value === 'string' ? escapeLabel(value) : value}"`;
  }
  return text;
}

function escapeLabel(value: string): string {
  return /["\\\n]/.test(value) ? escapeText(value).replaceAll('"', String.raw`\"`) : value;
}

function escapeText(text: string): string {
  return text.replaceAll('\\', String.raw`\\`).replaceAll('\n', String.raw`\n`);
}

function numberOf(value: number): string {
  if (Number.isFinite(value) || Number.isNaN(value)) return String(value);
  return value < 0 ? '-Inf' : '+Inf';
}
