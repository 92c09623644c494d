-- include lib/ledger.lua
--
-- Lets the task of a call be called again.
--
--   unsent        its maker says that it never left, and the permit goes back: also of a call that another process has
--                 taken for lost meanwhile. No handover brings it back
--   never_begun   another process found it past its deadline, never begun. The permit goes back while it is in flight
--   repeat        it is over and Defender's records do not show it. Its permit stays spent
--
-- KEYS  see ledger.lua
-- ARGV  7 call id   8 unsent, never_begun or repeat
--
-- Returns  1, or 0 when the ledger does not know the call, or knows it as one of another kind
local call_id, reason = ARGV[7], ARGV[8]

local entry = parse_entry(redis.call('HGET', entries, call_id))
if reason == 'unsent' and not (entry and is_answered(entry)) then
  redis.call('SET', unsent_key(call_id), '', 'PX', unsent_known_for)
end
local fits = entry and ({
  unsent = not is_answered(entry),
  never_begun = entry.outcome == 'in_flight',
  ['repeat'] = entry.outcome ~= 'in_flight',
})[reason]
if not fits then
  return 0
end
if reason ~= 'repeat' then
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
