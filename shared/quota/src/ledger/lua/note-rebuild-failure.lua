-- Records why the calls of the last window cannot be read from Defender: only that keeps the hold `cold_start` on.
--
-- KEYS  see ledger.lua
-- ARGV  8 JSON of the facts of the hold: cause, httpStatus, code, isOpen (its end is not known)
--
-- Returns  1 if it was noted, 0 if no such hold is on in the ledger that the caller knows
-- Writes   details of the hold `cold_start`. They end with it (rebuild.lua, open.lua). No streak begins: no call met this.
if not knows_generation() or tonumber(redis.call('HGET', holds, 'cold_start') or '0') <= now then
  return 0
end
redis.call('HSET', holds .. ':details', 'cold_start', ARGV[8])
return 1
