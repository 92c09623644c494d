-- include lib/ledger.lua
--
-- Lets the task of a call be called again. 'unsent' gives back the permit of a call that provably never left: only of one
-- that is still in flight, since a call with an outcome was sent. 'repeat' is for a call that is over and that Defender's
-- records do not show: its permit stays spent.
--
-- KEYS  see ledger.lua
-- ARGV  7 call id   8 'unsent' or 'repeat'
--
-- Returns  1, or 0 when the ledger does not know the call, or knows it as one of the other kind
local call_id, is_unsent = ARGV[7], ARGV[8] == 'unsent'

local entry = parse_entry(redis.call('HGET', entries, call_id))
if not entry or (entry.outcome == 'in_flight') ~= is_unsent then
  return 0
end
if is_unsent then
  redis.call('ZREM', calls, call_id)
  redis.call('HDEL', entries, call_id)
  if redis.call('HGET', intents, entry.taskId) == call_id then
    redis.call('HDEL', intents, entry.taskId)
  end
else
  entry.mayRepeat = true
  redis.call('HSET', entries, call_id, cjson.encode(entry))
  stand_for_task(call_id, entry)
end
count_change()
return 1
