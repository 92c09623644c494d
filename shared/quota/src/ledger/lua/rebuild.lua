-- Ends the hold `cold_start`, and adds the calls of the last window that Defender lists.
--
-- KEYS  see ledger.lua
-- ARGV  8 'rebuilt' or 'declared' (by the operator: there were none)   9 … calls (ledger.lua)
--
-- Returns  'ended'     calls are no longer held for this reason
--          'kept'       a living worker saw the ledger vanish: Defender's list may lack calls
--          'over'       no such hold is on: another worker was quicker, or it has ended
--          'lost'       this is not the ledger that the caller knows
-- Writes   only when it ends the hold. The hold ends now instead of never having been: tasks waited until now.
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
