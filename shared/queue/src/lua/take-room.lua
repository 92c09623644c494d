-- include now.lua, lib/offline-room.lua
--
-- Keeps room for a call of an operation of which Defender runs only so many at once: those that are under way, looked up, or
-- have a result whose end was not seen yet, and those that are about to begin. Of these only so many may be for machines of which
-- Defender gets no reports.
--
-- KEYS  1 starting   2 offline   3 offline:back   4 in_flight   5 reconciling   6 results, where they are followed
-- ARGV  1 how many may run   2 task id   3 for how long room is kept for it at most, ms   4 key space
--       5 how many may run for machines of which Defender gets no reports, '' for any number
--
-- starting       sorted set: task id -> until when room is kept for a call that is about to begin (ms)
-- offline:back   see put-back-offline.lua
--
-- Returns  1, 0 where as many run, or -1 where as many run for such machines and this is one
-- Writes   'starting' for 1. For -1 the task is put aside: its job is to go
local most, task_id, kept_for, key_space, most_silent = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5])
local task_key = key_space .. ':task:' .. task_id

redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local running = 0
for i = 4, #KEYS do
  running = running + redis.call('ZCARD', KEYS[i])
end
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local is_counted = id == task_id
  for i = 4, #KEYS do
    is_counted = is_counted or redis.call('ZSCORE', KEYS[i], id)
  end
  if not is_counted then
    running = running + 1
  end
end
if running >= most then
  return 0
end
if most_silent and is_silent(redis.call('HGET', task_key, 'warnings')) then
  if count_silent(key_space, tasks_in({ KEYS[1], unpack(KEYS, 4) }), task_id) >= most_silent then
    redis.call('ZADD', KEYS[2], now, task_id)
    redis.call('ZREM', KEYS[3], task_id)
    redis.call('HSETNX', task_key, 'offlineSince', now)
    return -1
  end
end
redis.call('ZADD', KEYS[1], now + kept_for, task_id)
return 1
