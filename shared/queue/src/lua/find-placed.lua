-- Finds a request, and where its task stands in the order while it is queued, and by what.
--
-- KEYS  1 request   2 BullMQ's sorted set of jobs in the order   3 blocked   4 offline   (see store-keys.ts)
-- ARGV  1 what the key of a job begins with   2 what the key of a task begins with   3 … fields of the task
--
-- Returns  the request's fields, each with its value, none for an unknown one; its place: 1 is next, 0 for none; while
--          it is queued those fields of its task, '' for one that it has not, and how many joined it; why its task is put aside:
--          machine_busy, machine_offline or ''; of the second since when, in ms, else ''.
--          A job in a worker's hand has left the order and is next. One that is missing will be restored by a worker,
--          and until then has no place.
local fields, place, of_task, aside, since = redis.call('HGETALL', KEYS[1]), 0, {}, '', ''
local status, task_id = unpack(redis.call('HMGET', KEYS[1], 'status', 'task'))
if status == 'queued' and task_id then
  local rank = redis.call('ZRANK', KEYS[2], task_id)
  place = rank and rank + 1 or redis.call('EXISTS', ARGV[1] .. task_id)
  of_task = redis.call('HMGET', ARGV[2] .. task_id, unpack(ARGV, 3))
  for i = 1, #of_task do
    of_task[i] = of_task[i] or ''
  end
  of_task[#of_task + 1] = tostring(redis.call('ZCARD', ARGV[2] .. task_id .. ':joined'))
  if redis.call('ZSCORE', KEYS[4], task_id) then
    aside, since = 'machine_offline', redis.call('HGET', ARGV[2] .. task_id, 'offlineSince') or ''
  elseif redis.call('ZSCORE', KEYS[3], task_id) then
    aside = 'machine_busy'
  end
end
return { fields, place, of_task, aside, since }
