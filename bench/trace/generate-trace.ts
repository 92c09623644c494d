import type { Priority } from '@diq/contracts/priority.ts';
import { createRandom, type Random } from '../../test/fault/random.ts';
import { bursts, byHour, byWeekday, mix, scores, sourceShares, thresholds, truthShares } from './shapes.ts';
import type { Trace, TraceRequest, Truth } from './trace-request.ts';

export interface TraceOptions {
  days: number;
  /** Requests of each slot. */
  load: number;
  slotsPerHour: number;
  seed: number;
}

const [hourSeconds, daySeconds] = [3_600, 86_400];
/** How finely the rate is reckoned. */
const stepSeconds = 60;

/** Requests as they could arrive at a SOC; the same options give the same ones. Each number's source stands in `shapes.ts`. */
export function generateTrace({ days, load, slotsPerHour, seed }: TraceOptions): Trace {
  const random = createRandom(seed);
  const total = Math.round(load * slotsPerHour * 24 * days);
  const arrivals = arrivalsOver(days, random);
  const fleet = createFleet(random);
  const ofCampaigns = Math.round(total * mix.campaignShare);
  const requests: TraceRequest[] = [];
  for (let number = 1; requests.length < ofCampaigns; number += 1) {
    const most = ofCampaigns - requests.length;
    requests.push(...campaign(`campaign-${number}`, arrivals(), { random, fleet, most }));
  }
  for (let number = 1; requests.length < total; number += 1) {
    requests.push(...incident(`incident-${number}`, arrivals(), { random, fleet }));
  }
  const isInTime = ({ atSeconds }: TraceRequest) => atSeconds < days * daySeconds;
  return {
    name: `load ${load}`,
    hours: 24 * days,
    requests: requests.filter(isInTime).toSorted((a, b) => a.atSeconds - b.atSeconds),
  };
}

/** Draws times of arrival, in seconds: by hour, weekday, and the two states. */
function arrivalsOver(days: number, random: Random): () => number {
  const sums: number[] = [];
  let [sum, isBurst, leftSeconds] = [0, false, stay(bursts.quietHours, random)];
  for (let at = 0; at < days * daySeconds; at += stepSeconds) {
    if (leftSeconds <= 0) {
      isBurst = !isBurst;
      leftSeconds = stay(isBurst ? bursts.burstHours : bursts.quietHours, random);
    }
    leftSeconds -= stepSeconds;
    const hour = byHour[Math.floor(at / hourSeconds) % 24] ?? 0;
    const day = byWeekday[Math.floor(at / daySeconds) % 7] ?? 0;
    sum += hour * day * (isBurst ? bursts.factor : 1);
    sums.push(sum);
  }
  return () => (drawFrom(sums, random) + random.next()) * stepSeconds;
}

function stay(meanHours: number, random: Random): number {
  return exponential(random) * meanHours * hourSeconds;
}

interface Fleet {
  /** By how often they are asked for. */
  usual(): string;
  any(): string;
  isOffline(machineId: string): boolean;
}

function createFleet(random: Random): Fleet {
  const ids = Array.from({ length: mix.machines }, () => `a${random.hex(39)}`);
  const offline = new Set(ids.filter(() => random.chance(mix.offline)));
  let sum = 0;
  const sums = ids.map((_, rank) => (sum += (rank + 1) ** -mix.zipf));
  return {
    usual: () => ids[drawFrom(sums, random)] ?? '',
    any: () => random.pick(ids),
    isOffline: (machineId) => offline.has(machineId),
  };
}

interface Making {
  random: Random;
  fleet: Fleet;
}

/** One batch of one source. */
function campaign(
  name: string,
  atSeconds: number,
  { random, fleet, most }: Making & { most: number },
): TraceRequest[] {
  const truth = truthOf(random);
  const score = scores[truth] + scores.deviation * normal(random);
  const source = drawName(sourceShares, random);
  const { alpha, least, most: greatest } = mix.campaign;
  const size = Math.min(most, greatest, Math.floor(least * (1 - random.next()) ** (-1 / alpha)));
  const machines = new Set<string>();
  while (machines.size < size) machines.add(machineFor(random, fleet.any));
  return [...machines].map((machineId) => ({
    atSeconds,
    incident: name,
    batch: name,
    source,
    priority: priorityOf(score, random),
    truth,
    machineId,
    machine: stateOf(machineId, { random, fleet }),
  }));
}

/** A machine or a few, some of them asked for again soon. */
function incident(name: string, atSeconds: number, { random, fleet }: Making): TraceRequest[] {
  const truth = truthOf(random);
  const score = scores[truth] + scores.deviation * normal(random);
  const requests: TraceRequest[] = [];
  let machineAt = atSeconds;
  do {
    const machineId = machineFor(random, fleet.usual);
    const machine = stateOf(machineId, { random, fleet });
    let at = machineAt;
    do {
      const source = drawName(sourceShares, random);
      const priority = priorityOf(score, random);
      requests.push({
        atSeconds: at,
        incident: name,
        batch: '',
        source,
        priority,
        truth,
        machineId,
        machine,
      });
      at += exponential(random) * mix.repeatAfterMinutes * 60;
    } while (random.chance(mix.repeat));
    machineAt += exponential(random) * mix.furtherAfterMinutes * 60;
  } while (random.chance(mix.furtherMachine));
  return requests;
}

/** Ids that begin with `dead` are those that the simulator does not know. */
function machineFor(random: Random, known: () => string): string {
  return random.chance(mix.unknown) ? `dead${random.hex(36)}` : known();
}

function stateOf(machineId: string, { random, fleet }: Making): TraceRequest['machine'] {
  if (machineId.startsWith('dead')) return 'unknown';
  if (random.chance(mix.underInvestigation)) return 'under_investigation';
  return fleet.isOffline(machineId) ? 'offline' : 'known';
}

function truthOf(random: Random): Truth {
  return drawName(truthShares, random) as Truth;
}

function priorityOf(score: number, random: Random): Priority {
  const noisy = score + scores.perRequest * normal(random);
  return thresholds.find(([, from]) => noisy >= from)?.[0] ?? 'low';
}

function drawName(shares: Readonly<Record<string, number>>, random: Random): string {
  const names = Object.keys(shares);
  let sum = 0;
  return (
    names[
      drawFrom(
        Object.values(shares).map((share) => (sum += share)),
        random,
      )
    ] ?? ''
  );
}

/** An index, by sums that grow by the weight of each. */
function drawFrom(sums: readonly number[], random: Random): number {
  const drawn = random.next() * (sums.at(-1) ?? 0);
  let [low, high] = [0, sums.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sums[middle] ?? 0) > drawn) high = middle;
    else low = middle + 1;
  }
  return low;
}

function exponential(random: Random): number {
  return -Math.log(1 - random.next());
}

/** Box and Muller. */
function normal(random: Random): number {
  return Math.sqrt(2 * exponential(random)) * Math.cos(2 * Math.PI * random.next());
}
