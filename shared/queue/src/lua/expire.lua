-- include lib/detach.lua
--
-- Ends queued requests whose own deadline was reached, whatever others wait for the same task.
--
-- KEYS  see lib/request-status.lua
-- ARGV  3 how many at most   4 JSON of the error that they end with
--
-- Returns  {{ids of the requests}, {ids of the tasks that ended with them: their jobs can go}}
local limit, reason = tonumber(ARGV[3]), ARGV[4]

local expired, ended = {}, {}
for _, request_id in ipairs(redis.call('ZRANGEBYSCORE', deadlines_key, '-inf', now, 'LIMIT', 0, limit)) do
  local is_detached, task_id, has_ended = detach(request_id, 'expired', { 'error', reason })
  if is_detached then
    expired[#expired + 1] = request_id
    if has_ended then
      ended[#ended + 1] = task_id
    end
  else
    -- Not waiting, against all rules of this index: it must not hold up the others.
    redis.call('ZREM', deadlines_key, request_id)
  end
end
write_counts()
return { expired, ended }
