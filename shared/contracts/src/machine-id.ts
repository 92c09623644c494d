import { z } from 'zod';

/**
 * A Defender machine id: 40 hexadecimal characters today, 32 in the API's first generation.
 * Case carries no meaning; it is stored in lower case, so that two spellings meet in one task.
 */
export const machineId = z
  .string({ error: 'must be a string' })
  .regex(
    /^(?:[0-9A-Fa-f]{40}|[0-9A-Fa-f]{32})$/,
    'must be a Defender machine id: 32 or 40 hexadecimal characters (a host name or an IP address is not one)',
  )
  .toLowerCase();
