-- include lib/audit.lua
--
-- Sets or ends the operators' hold `paused`. Other holds stay as they are.
--
-- KEYS  1 holds (hold.lua)   2 pause   3 audit       (see store-keys.ts)
-- ARGV  1 time (ms) until which no call may be made; '' ends the pause
--       2 JSON of who paused and why, kept with the hold
--       3 the entry for the record   4 ms for which entries are kept
--
-- Returns  {1 if a pause was on, else 0; now}
-- Writes   hold, pause and record in one step. Unlike other holds a pause that is set again takes the new end, also an
--          earlier one: the last word is the operator's.
local holds, pause = KEYS[1], KEYS[2]
local ends, detail = ARGV[1], ARGV[2]

local was_on = (tonumber(redis.call('HGET', holds, 'paused') or '0') > now) and 1 or 0
if ends == '' then
  redis.call('HDEL', holds, 'paused')
  redis.call('DEL', pause)
else
  redis.call('HSET', holds, 'paused', ends)
  redis.call('HSET', pause, 'detail', detail, 'since', string.format('%.0f', now), 'until', ends)
end
audit(KEYS[3], ARGV[3], ARGV[4])
return { was_on, now }
