import type { Redis } from 'ioredis';
import { z } from 'zod';
import { loadScript, whenFull } from '@diq/quota/script.ts';
import { createTicketLift } from './lift-tickets.ts';
import { movingKeys, storeKeys } from './store-keys.ts';
import type { TicketQueue } from './ticket-queue.ts';

/** Tickets looked at by one script. */
const chunkSize = 100;
/**
 * Tickets that step back before one draw, at most; then whoever is next is drawn. A caller has two at the same turn only
 * where it named a further source after it had placed many.
 */
const mostPerDraw = 2_000;

const scriptFile = (name: string) => new URL(`./lua/${name}.lua`, import.meta.url);
const script = loadScript(
  whenFull,
  ...['indexes', 'stored-bytes', 'detach', 'order', 'pass-turn'].map(scriptFile),
);
const reply = z.array(z.union([z.string(), z.number()]));

/**
 * Sees to it that the ticket that is next has the turn of its caller, so that a caller gets one turn for each interval,
 * however many sources it names. To be called before a ticket is drawn. See `lua/pass-turn.lua`.
 */
export function createTurnPassing(redis: Redis, keySpace: string, tickets: Pick<TicketQueue, 'setRanks'>) {
  const keys = [...movingKeys(keySpace), storeKeys(keySpace).ticketOrder];
  const moveTickets = createTicketLift(redis, keySpace, tickets);

  return async (): Promise<void> => {
    for (let looked = 0; looked < mostPerDraw; looked += chunkSize) {
      const moved = reply.parse(await script(redis, keys, [keySpace, 0, chunkSize]));
      if (moved.length === 0) return;
      const steppedBack = [];
      for (let i = 0; i < moved.length; i += 2) {
        steppedBack.push({ dispatchId: String(moved[i]), rank: Number(moved[i + 1]) });
      }
      await moveTickets(steppedBack);
    }
  };
}
