-- include now.lua
--
-- Writes the sign of life of a worker process, for all queues that it serves.
--
-- KEYS  1 signs    hash: process id -> <last sign of life, ms>/, with /left behind it for one that was stopped in order
--       2 queues   hash: process id -> the key spaces that it serves, each with a line end before and behind it
-- ARGV  1 process id   2 'alive' or 'left'   3 its key spaces, '' where they have not changed since the last sign
--       4 ms after which the signs of others are forgotten; '' to forget none now
--
-- Returns  1 if its key spaces are known
-- Writes   the sign and the key spaces; takes out old ones.
local signs, queues, process, spaces, kept = KEYS[1], KEYS[2], ARGV[1], ARGV[3], tonumber(ARGV[4])

redis.call('HSET', signs, process, string.format('%.0f', now) .. (ARGV[2] == 'left' and '//left' or '/'))
if spaces ~= '' then
  redis.call('HSET', queues, process, spaces)
end
if kept then
  local flat = redis.call('HGETALL', signs)
  for i = 1, #flat, 2 do
    if (tonumber(string.match(flat[i + 1], '^%d+')) or 0) < now - kept then
      redis.call('HDEL', signs, flat[i])
      redis.call('HDEL', queues, flat[i])
    end
  end
end
return redis.call('HEXISTS', queues, process)
