-- include now.lua
--
-- How the length of the queue changed within the last day: a hash, begin of a step of 5 minutes (ms) -> requests that came into
-- `queued` less those that left it within this step. With the present length this gives the earlier ones, exactly. Where nothing
-- moves nothing is written, and the whole goes a day after the last move. ARGV 1 is the key space.
local length_step, length_steps = 300000, 288
local length_key = ARGV[1] .. ':counts:lengths'

local function note_length(by)
  if by == 0 then
    return
  end
  local step = math.floor(now / length_step) * length_step
  local field = string.format('%.0f', step)
  if redis.call('HEXISTS', length_key, field) == 0 then
    for _, known in ipairs(redis.call('HKEYS', length_key)) do
      if tonumber(known) <= step - length_steps * length_step then
        redis.call('HDEL', length_key, known)
      end
    end
  end
  redis.call('HINCRBY', length_key, field, by)
  redis.call('PEXPIRE', length_key, (length_steps + 1) * length_step)
end
