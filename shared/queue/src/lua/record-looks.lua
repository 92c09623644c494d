-- include lib/request-status.lua, lib/offline-room.lua
--
-- Keeps what a look showed of tasks that are to be called: until when no other is needed, and the warnings on their requests.
-- Where a call to a machine of which Defender gets no reports would keep room from others, its task is put aside.
--
-- KEYS  see lib/request-status.lua
-- ARGV  3 look id   4 '1' where such tasks are put aside   then for each task: id, '1' if its machine was seen, its warnings (codes joined by commas, or ''), '1' if
--       it was seen that nothing covers it
--
-- offline   sorted set: task id -> when it was last seen that it is put behind others (ms), see also put-back-offline.lua
--
-- Returns  {tasks that are put aside now: their jobs are to go}, {task id, job priority, … of those that are not any more}
-- Writes   'seenMachine' and 'seenCover' of the task, by the time at which the look began; 'warnings' of the task and its
--          requests; 'offlineSince' of one that is put aside. A task that does not wait any more, or is another look's by now, stays
--          as it is. Critical ones, those moved to the head and those that were called for anyway ('offlineOver') are not put aside
--          here; those that are, for want of room (take-room.lua), wait for put-back-offline.lua
local look_id, puts_aside, offline_key = ARGV[3], ARGV[4] == '1', space .. ':offline'
local aside, back = {}, {}

local function put_aside_or_back(task_id, task_key, warnings)
  local priority, head, over, job_priority = unpack(
    redis.call('HMGET', task_key, 'priority', 'head', 'offlineOver', 'jobPriority'))
  local is_aside = redis.call('ZSCORE', offline_key, task_id)
  local goes_aside = puts_aside and is_silent(warnings) and priority ~= 'critical' and not head and not over
  if goes_aside and not is_aside then
    redis.call('ZADD', offline_key, now, task_id)
    redis.call('HSET', task_key, 'offlineSince', now)
    aside[#aside + 1] = task_id
  elseif is_aside and not (puts_aside and is_silent(warnings)) then
    redis.call('ZREM', offline_key, task_id)
    redis.call('HDEL', task_key, 'offlineSince')
    back[#back + 1] = task_id
    back[#back + 1] = job_priority
  end
  if over and not is_silent(warnings) then
    redis.call('HDEL', task_key, 'offlineOver')
  end
end

local function warn(key, warnings)
  if warnings == '' then
    redis.call('HDEL', key, 'warnings')
  elseif redis.call('EXISTS', key) == 1 then
    redis.call('HSET', key, 'warnings', warnings)
  end
end

for i = 5, #ARGV, 4 do
  local task_key, of_machine, warnings, of_cover = space .. ':task:' .. ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local state, owner, began, first, before = unpack(
    redis.call('HMGET', task_key, 'state', 'lookBy', 'lookAt', 'first', 'warnings'))
  if state == 'waiting' and owner == look_id and first then
    if of_machine == '1' then
      redis.call('HSET', task_key, 'seenMachine', began)
      put_aside_or_back(ARGV[i], task_key, warnings)
      if (before or '') ~= warnings then
        warn(task_key, warnings)
        warn(space .. ':request:' .. first, warnings)
        for _, request_id in ipairs(redis.call('ZRANGE', task_key .. ':joined', 0, -1)) do
          warn(space .. ':request:' .. request_id, warnings)
        end
      end
    end
    if of_cover == '1' then
      redis.call('HSET', task_key, 'seenCover', began)
    end
    redis.call('HDEL', task_key, 'lookBy', 'lookAt', 'lookUntil')
  end
end
return { aside, back }
