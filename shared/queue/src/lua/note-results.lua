-- include now.lua
--
-- Notes when Defender is read next for results that have not ended, and what it showed of them.
--
-- KEYS  1 results                                   (see store-keys.ts)
-- ARGV  1 key space   then for each: task id, when it is read next (ms), 1 if it was read just now or '', Defender's own word
--       for its state or '', when it began, ms, or ''
--
-- Returns  how many of them are followed still
-- Writes   the task and its next time; nothing of one that has ended or is gone
local results_key, space = KEYS[1], ARGV[1]

local noted = 0
for i = 2, #ARGV, 5 do
  local task_id, next_at, was_read, shown, started_at = unpack(ARGV, i, i + 4)
  local task_key = space .. ':task:' .. task_id
  if redis.call('HGET', task_key, 'outcome') == 'running' then
    noted = noted + 1
    redis.call('ZADD', results_key, next_at, task_id)
    local fields = {}
    if was_read ~= '' then
      fields = { 'checkedAt', now }
    end
    if shown ~= '' then
      fields[#fields + 1], fields[#fields + 2] = 'shown', shown
    end
    if started_at ~= '' then
      fields[#fields + 1], fields[#fields + 2] = 'beganAt', started_at
    end
    if #fields > 0 then
      redis.call('HSET', task_key, unpack(fields))
    end
  end
end
return noted
