-- include lib/request-status.lua
--
-- Keeps what a look showed of tasks that are to be called: until when no other is needed, and the warnings on their requests.
--
-- KEYS  see lib/request-status.lua
-- ARGV  3 look id   then for each task: id, '1' if its machine was seen, its warnings (codes joined by commas, or ''), '1' if
--       it was seen that nothing covers it
--
-- Returns  how many of them were still this look's
-- Writes   'seenMachine' and 'seenCover' of the task, by the time at which the look began; 'warnings' of the task and its
--          requests. A task that does not wait any more, or is another look's by now, stays as it is
local look_id, recorded = ARGV[3], 0

local function warn(key, warnings)
  if warnings == '' then
    redis.call('HDEL', key, 'warnings')
  elseif redis.call('EXISTS', key) == 1 then
    redis.call('HSET', key, 'warnings', warnings)
  end
end

for i = 4, #ARGV, 4 do
  local task_key, of_machine, warnings, of_cover = space .. ':task:' .. ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local state, owner, began, first, before = unpack(
    redis.call('HMGET', task_key, 'state', 'lookBy', 'lookAt', 'first', 'warnings'))
  if state == 'waiting' and owner == look_id and first then
    recorded = recorded + 1
    if of_machine == '1' then
      redis.call('HSET', task_key, 'seenMachine', began)
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
return recorded
