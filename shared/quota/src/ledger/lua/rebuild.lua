-- Ends the hold `cold_start`, with the calls of the last window added that are known from elsewhere.
--
-- KEYS  see ledger.lua
-- ARGV  8 'rebuilt' or 'told' (somebody who knows says that there were none)   9 … calls (ledger.lua)
--
-- Returns  'ended'     nobody is held any more for this reason
--          'kept'       a worker that lives saw the ledger vanish: what is known from elsewhere may not be all
--          'over'       no such hold is on: somebody else was quicker, or it has ended
--          'lost'       this is not the ledger that the caller knows
-- Writes   only when lifting. The hold ends now instead of never having been: what waited, waited until now.
if not knows_generation() then
  return 'lost'
end
if tonumber(redis.call('HGET', holds, 'cold_start') or '0') <= now then
  return 'over'
end
if ARGV[8] == 'rebuilt' and redis.call('HGET', generation, 'lossSeen') == '1' then
  return 'kept'
end
add_missing(9)
redis.call('HSET', holds, 'cold_start', as_text(now))
redis.call('HDEL', holds .. ':details', 'cold_start')
return 'ended'
