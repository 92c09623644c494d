-- include now.lua
--
-- Chooses of the tasks that are put behind others, since Defender gets no reports of their machine, those that are called all
-- the same: some were looked at longest ago, and come last the next time.
--
-- KEYS  1 offline   2 waiting
-- ARGV  1 key space   2 how many are looked at   3 ms since the last look at one   4 ms after which one is called anyway
--       5 for how many there is room, while nothing else waits
--
-- Returns  {task id, job priority, …}: their jobs are to be added
-- Writes   'offlineOver' of these: they are not put aside again. One that waits no more is forgotten; one that is critical by now, or
--          was moved to the head, goes at once
local anyway_after, room = tonumber(ARGV[4]), tonumber(ARGV[5])
local back, others = {}, {}

local function put_back(id, task_key, job_priority)
  redis.call('ZREM', KEYS[1], id)
  redis.call('HSET', task_key, 'offlineOver', 1)
  redis.call('HDEL', task_key, 'offlineSince')
  back[#back + 1] = id
  back[#back + 1] = job_priority
end

for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[3], 'LIMIT', 0, ARGV[2])) do
  local task_key = ARGV[1] .. ':task:' .. id
  local priority, head, since, job_priority = unpack(
    redis.call('HMGET', task_key, 'priority', 'head', 'offlineSince', 'jobPriority'))
  if not redis.call('ZSCORE', KEYS[2], id) or not job_priority then
    redis.call('ZREM', KEYS[1], id)
  elseif priority == 'critical' or head or now - (tonumber(since) or 0) >= anyway_after then
    put_back(id, task_key, job_priority)
  else
    redis.call('ZADD', KEYS[1], now, id)
    others[#others + 1] = { id, task_key, job_priority }
  end
end
table.sort(others, function(one, other)
  return tonumber(one[3]) < tonumber(other[3]) or (one[3] == other[3] and one[1] < other[1])
end)
for i = 1, math.min(room, #others) do
  put_back(unpack(others[i]))
end
return back
