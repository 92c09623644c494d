-- include now.lua
--
-- Reads the results for which Defender is to be read.
--
-- KEYS  1 results                                   (see store-keys.ts)
-- ARGV  1 key space   2 ms from now within which they are due   3 how many at most
--
-- Returns  {now, then for each, those first that are due for the longest: task id, Defender's id, machine, when the call was made
--          (ms), or first asked for where none was, until when it is followed (ms), when it began or '', Defender's own word for its state or '', 1 if it ran
--          before the call or '', first request or '', its outcome if it has ended: then only requests are left, that shared
--          it later}
-- Writes   what is in the index without a result leaves it
local results_key, space, within, most = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])

local found = { now }
for _, task_id in ipairs(redis.call('ZRANGE', results_key, '-inf', now + within, 'BYSCORE', 'LIMIT', 0, most)) do
  local result, machine, sent_at, follow_until, started_at, shown, attached, first, outcome, created_at = unpack(redis.call('HMGET',
    space .. ':task:' .. task_id, 'result', 'machine', 'sentAt', 'until', 'beganAt', 'shown', 'attached', 'first', 'outcome', 'createdAt'))
  if result and machine and follow_until and outcome then
    for _, value in ipairs({ task_id, result, machine, sent_at or created_at or now, follow_until, started_at or '', shown or '', attached or '',
      first or '', outcome == 'running' and '' or outcome }) do
      found[#found + 1] = value
    end
  else
    redis.call('ZREM', results_key, task_id)
  end
end
return found
