-- include lib/results.lua
--
-- Ends the result of a task, for all requests that share it: the observed end. It is stored once; what Defender shows later
-- changes nothing.
--
-- KEYS  see lib/request-status.lua
-- ARGV  3 task id   4 outcome: succeeded | failed | cancelled | unknown   5 Defender's own word for its state, or ''
--       6 when it began, ms, or ''   7 when it ended, ms, or ''   8 where the outcome is unknown: why, else ''
--       9 1 if Defender was read for it, else ''   10 most of those that shared it later to be ended by this
--
-- Returns  {1 if it ended by this, 0 if it had ended before or is gone, requests whose result ended, those that are left}
-- Writes   task, requests, their batches and callbacks in one step. Of those that shared it later so many; while some are
--          left the task stays in the index `results` and is due: run again it ends theirs as it ended the others.
local task_id, outcome, shown, started_at, ended_at, why, was_read = unpack(ARGV, 3, 9)
local most = tonumber(ARGV[10])
local task_key = space .. ':task:' .. task_id
local reused_key = task_key .. ':reused'

local before, first = unpack(redis.call('HMGET', task_key, 'outcome', 'first'))
if not before then
  redis.call('ZREM', results_key, task_id)
  return { 0, 0, 0 }
end

local requests = {}
if before == 'running' then
  local fields = { 'outcome', outcome }
  for name, value in pairs({ shown = shown, beganAt = started_at, overAt = ended_at, why = why }) do
    if value ~= '' then
      fields[#fields + 1], fields[#fields + 2] = name, value
    end
  end
  if was_read ~= '' then
    fields[#fields + 1], fields[#fields + 2] = 'checkedAt', now
  end
  redis.call('HSET', task_key, unpack(fields))
  requests = redis.call('ZRANGE', task_key .. ':joined', 0, -1)
  requests[#requests + 1] = first or nil
end
local later = redis.call('ZPOPMIN', reused_key, most)
for i = 1, #later, 2 do
  requests[#requests + 1] = later[i]
end

local fields, stored_outcome = result_fields_of(task_key)
local ended = 0
for _, request_id in ipairs(requests) do
  if end_result_of(request_id, stored_outcome, fields) then
    ended = ended + 1
  end
end
write_counts()

local left = redis.call('ZCARD', reused_key)
if left > 0 then
  redis.call('ZADD', results_key, now, task_id)
else
  redis.call('ZREM', results_key, task_id)
  redis.call('HDEL', task_key, 'result', 'until')
end
return { before == 'running' and 1 or 0, ended, left }
