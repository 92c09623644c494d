-- Records that another call may follow one that is over, for the same task: Defender's records do not show the first.
--
-- KEYS  see ledger.lua
-- ARGV  8 call id
--
-- Returns  1, or 0 when the ledger does not know the call or it is in flight
local call_id = ARGV[8]

local entry = parse_entry(redis.call('HGET', entries, call_id))
if not entry or entry.outcome == 'in_flight' then
  return 0
end
entry.mayRepeat = true
redis.call('HSET', entries, call_id, cjson.encode(entry))
stand_for_task(call_id, entry)
count_change()
return 1
