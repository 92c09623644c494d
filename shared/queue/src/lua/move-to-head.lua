-- include lib/detach.lua, lib/audit.lua
--
-- Puts the task of a request that is queued before all others, also before those that were put there earlier.
--
-- KEYS  see lib/request-status.lua
-- ARGV  3 request id   4 the entry for the record   5 ms for which entries are kept
--
-- Returns  {'moved', task id, its job priority}, or {present status or 'missing', '', 0}: then nothing is written
-- Writes   head and headAt: the entry and its time; promoted, until the job has followed; a job priority that order.lua never gives: its scale leaves more than a thousand free, which are handed out
--          downwards until nothing is open any more. The thousandth and those after it share the first place.
local head_places = 1000

local status, task_id = unpack(redis.call('HMGET', space .. ':request:' .. ARGV[3], 'status', 'task'))
if status ~= 'queued' then
  return { status or 'missing', '', 0 }
end
local job_priority = math.max(1, head_places - redis.call('HINCRBY', order_key, 'heads', 1))
redis.call('HSET', space .. ':task:' .. task_id, 'jobPriority', job_priority, 'head', ARGV[4], 'headAt', now, 'promoted', 1)
audit(space .. ':audit', ARGV[4], ARGV[5])
return { 'moved', task_id, job_priority }
