-- What there is to be done in a queue, at one instant. It is read at every look: as one command, of which a worker with hundreds of
-- queues sends and reads a fourteenth.
--
-- KEYS  1 jobs in their order   2 BullMQ's list of jobs without one   3 BullMQ's list of jobs that are claimed
--       4 tasks that wait for their call   5 … for their turn on their machine   6 … that are set aside
--       7 … whose machine is not known yet   8 … that are called   9 … that are looked up   10 … whose result is followed
--       11 queued requests by deadline   12 tasks whose machine is offline
--
-- Returns  {how many there are of 1 to 10, and of 12}, {the earliest time of 11, 8, 9 and 10, '' where there is none}
local counts = {}
for i = 1, 10 do
  counts[i] = redis.call((i == 2 or i == 3) and 'LLEN' or 'ZCARD', KEYS[i])
end
counts[11] = redis.call('ZCARD', KEYS[12])
local times = {}
for i, key in ipairs({ KEYS[11], KEYS[8], KEYS[9], KEYS[10] }) do
  times[i] = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2] or ''
end
return { counts, times }
