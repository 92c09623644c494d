-- Finds a request, and where its task stands in the order while it is queued.
--
-- KEYS  1 request   2 BullMQ's sorted set of jobs in the order   (see store-keys.ts)
-- ARGV  1 what the key of a job begins with
--
-- Returns  the request's fields, each with its value, none for an unknown one; its place: 1 is next, 0 for none.
--          A job in a worker's hand has left the order and is next. One that is missing will be restored by a worker,
--          and until then has no place.
local fields, place = redis.call('HGETALL', KEYS[1]), 0
local status, task_id = unpack(redis.call('HMGET', KEYS[1], 'status', 'task'))
if status == 'queued' and task_id then
  local rank = redis.call('ZRANK', KEYS[2], task_id)
  place = rank and rank + 1 or redis.call('EXISTS', ARGV[1] .. task_id)
end
return { fields, place }
