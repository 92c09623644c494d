-- include lib/ledger.lua
--
-- Reads the ledger in one step, for quota, forecast, metrics and the worker's next decision.
--
-- KEYS  see ledger.lua
-- ARGV  see ledger.lua; a reader's settings apply if no worker has declared any
--       8 'alive' for a sign of life, 'left' for the last one of a worker that was stopped in order: what it called counts as
--         before, and a handover waits for it as for any other, since it may have made calls that are missing
--
-- Returns  {now, limit now, limit by the settings, window ms, {reason, until, ...} of the holds that are on,
--           {free at, entry JSON, ...} of the permits in use, until when the limit is lower than the settings' or 0,
--           1 if this is the ledger as the caller knows it, changes,
--           1 if the path is in doubt, until when the one call that tries it can last or 0,
--           {details JSON or '', ...} of the holds that are on, in the same order,
--           {sign of life, ...} of the workers, as they stand}
-- Writes   nothing but the sign of life.
local limit, window = quota_in_force()

local on, details = {}, {}
local all_holds = redis.call('HGETALL', holds)
for i = 1, #all_holds, 2 do
  if tonumber(all_holds[i + 1]) > now then
    on[#on + 1] = all_holds[i]
    on[#on + 1] = tonumber(all_holds[i + 1])
    details[#details + 1] = redis.call('HGET', holds .. ':details', all_holds[i]) or ''
  end
end

local used, slots = in_use(window), {}
for i = 1, #used, 2 do
  slots[#slots + 1] = tonumber(used[i + 1]) + window
  slots[#slots + 1] = redis.call('HGET', entries, used[i]) or 'null'
end
local now_limit = math.min(limit, estimate_in_force() or limit)
local lower_until = now_limit < limit and tonumber(redis.call('HGET', estimate, 'until')) or 0
local is_known = is_as_known()
if is_known and ARGV[8] == 'alive' then
  show_life(ARGV[5])
elseif ARGV[8] == 'left' and redis.call('HEXISTS', workers, ARGV[7]) == 1 then
  show_life(ARGV[5] .. '/left')
end
local changes = tonumber(redis.call('HGET', generation, 'changes')) or 0
local in_doubt = is_in_doubt()
return { now, now_limit, limit, window, on, slots, lower_until, is_known and 1 or 0, changes,
  in_doubt and 1 or 0, in_doubt and in_flight_until() or 0, details,
  redis.call('HVALS', workers) }
