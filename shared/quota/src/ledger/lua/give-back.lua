-- Gives back the permit of a call that provably never left. Only a call that is still in flight can be given back:
-- a call with an outcome was sent.
--
-- KEYS  see ledger.lua
-- ARGV  8 call id
--
-- Returns  1 when it was given back, 0 when there was nothing to give back
local call_id = ARGV[8]

local entry = parse_entry(redis.call('HGET', entries, call_id))
if not entry or entry.outcome ~= 'in_flight' then
  return 0
end
redis.call('ZREM', calls, call_id)
redis.call('HDEL', entries, call_id)
if redis.call('HGET', intents, entry.taskId) == call_id then
  redis.call('HDEL', intents, entry.taskId)
end
count_change()
return 1
