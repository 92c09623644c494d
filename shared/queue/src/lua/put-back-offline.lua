-- include now.lua, lib/offline-room.lua
--
-- Chooses of the tasks that are put behind others, since Defender gets no reports of their machine, those that are called all
-- the same: some were looked at longest ago, and come last the next time.
--
-- KEYS  1 offline   2 waiting   3 offline:back   4 starting   5 in_flight   6 reconciling   7 results, where they are followed
-- ARGV  1 key space   2 how many are looked at   3 ms since the last look at one   4 ms after which one is called anyway
--       5 how many of what Defender runs may be for such machines, '' for any number   6 '1' while nothing else waits
--
-- offline:back   sorted set: task id -> when it was put back (ms), until it is called or its machine reports
--
-- Returns  {task id, job priority, …}: their jobs are to be added. No more than may run: those that were put back before and wait, and
--          what runs for such machines, have their part of it
-- Writes   'offlineOver' of these: a look does not put them aside again. One that waits no more is forgotten. One that is critical by now,
--          was moved to the head, was put back before or was put aside long ago is put back ahead of the others
local space, anyway_after, most, is_idle = ARGV[1], tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6] == '1'
local back, urgent, others = {}, {}, {}

local function free_room()
  if not most then
    return math.huge
  end
  for _, id in ipairs(redis.call('ZRANGE', KEYS[3], 0, -1)) do
    local over = redis.call('HGET', space .. ':task:' .. id, 'offlineOver')
    if not over or not redis.call('ZSCORE', KEYS[2], id) then
      redis.call('ZREM', KEYS[3], id)
    end
  end
  local running = tasks_in({ KEYS[3], unpack(KEYS, 4) })
  return most - count_silent(space, running)
end

local function put_back(id, task_key, job_priority)
  redis.call('ZREM', KEYS[1], id)
  if most then
    redis.call('ZADD', KEYS[3], now, id)
  end
  redis.call('HSET', task_key, 'offlineOver', 1)
  redis.call('HDEL', task_key, 'offlineSince')
  back[#back + 1] = id
  back[#back + 1] = job_priority
end

for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[3], 'LIMIT', 0, ARGV[2])) do
  local task_key = space .. ':task:' .. id
  local priority, head, since, over, job_priority = unpack(
    redis.call('HMGET', task_key, 'priority', 'head', 'offlineSince', 'offlineOver', 'jobPriority'))
  if not redis.call('ZSCORE', KEYS[2], id) or not job_priority then
    redis.call('ZREM', KEYS[1], id)
  else
    redis.call('ZADD', KEYS[1], now, id)
    local is_urgent = priority == 'critical' or head or over or now - (tonumber(since) or 0) >= anyway_after
    local list = is_urgent and urgent or others
    list[#list + 1] = { id, task_key, job_priority }
  end
end
local function by_place(one, other)
  return tonumber(one[3]) < tonumber(other[3]) or (one[3] == other[3] and one[1] < other[1])
end
local function put_back_first(list, room)
  table.sort(list, by_place)
  for i = 1, math.min(room, #list) do
    put_back(unpack(list[i]))
  end
  return room - math.min(math.max(room, 0), #list)
end
if #urgent + #others > 0 then
  local left = put_back_first(urgent, free_room())
  if is_idle then
    put_back_first(others, left)
  end
end
return back
