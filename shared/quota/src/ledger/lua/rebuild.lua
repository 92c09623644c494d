-- include lib/ledger.lua
--
-- Ends the hold `cold_start`, and adds the calls of the last (longest) window that Defender lists; or records why they cannot be read.
--
-- KEYS  see ledger.lua
-- ARGV  7 'rebuilt' or 'declared' (by the operator: there were none)   8 … calls (ledger.lua)
--       7 'failed'   8 JSON of the facts of the hold: cause, httpStatus, code, isOpen (its end is not known)
--
-- Returns  'ended'     calls are no longer held for this reason
--          'kept'       a living worker saw the ledger vanish, so that Defender's list may lack calls; or 'failed' was noted
--          'over'       no such hold is on: another worker was quicker, or it has ended
--          'lost'       this is not the ledger that the caller knows
-- Writes   when it ends the hold: it ends now instead of never having been, since tasks waited until now.
--          'failed': details of the hold, which end with it (here, open.lua). No streak begins: no call met this.
if not knows_generation() then
  return 'lost'
end
if tonumber(redis.call('HGET', holds, 'cold_start') or '0') <= now then
  return 'over'
end
if ARGV[7] == 'failed' then
  redis.call('HSET', holds .. ':details', 'cold_start', ARGV[8])
  return 'kept'
end
if ARGV[7] == 'rebuilt' and redis.call('HGET', generation, 'lossSeen') == '1' then
  return 'kept'
end
add_missing(8)
redis.call('HSET', holds, 'cold_start', as_text(now))
redis.call('HDEL', holds .. ':details', 'cold_start')
return 'ended'
