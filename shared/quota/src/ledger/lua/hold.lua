-- include now.lua
--
-- Forbids every call until a time, for a reason. Holds for different reasons stand side by side; the latest end counts.
--
-- KEYS  1 holds     hash: reason -> time (ms) until which no call is granted
--       2 streaks   hash: reason -> how often in a row this hold was set. While there is any, calls are made one at a
--                   time (spend.lua); a good answer ends all rows (record-answer.lua)
--       3 details   hash: reason -> JSON of the facts of the hold
-- ARGV  1 reason   2 'for' or 'growing'   3 length ms ('growing': of the first one)   4 longest ms ('growing')
--       5 JSON of the facts of the hold
--
-- Returns  {until, now}
-- Writes   'for': the later of the present end and now + length. 'growing': doubles with each hold in a row, and leaves
--          a hold that is on as it is, so that five calls failing together count as one failure.
--          A hold by the operators begins no row: no call met an obstacle.
local holds, streaks, details = KEYS[1], KEYS[2], KEYS[3]
local reason, mode, length, longest = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])

local present = tonumber(redis.call('HGET', holds, reason) or '0')

if mode == 'growing' and present > now then
  return { present, now }
end
local is_met = reason ~= 'paused'
local streak = is_met and present <= now and redis.call('HINCRBY', streaks, reason, 1)
if mode == 'growing' then
  length = math.min(longest, length * 2 ^ math.min(streak - 1, 30))
end

local ends = math.max(present, now + length)
redis.call('HSET', holds, reason, string.format('%.0f', ends))
if is_met then
  redis.call('HSET', details, reason, ARGV[5])
end
return { ends, now }
