-- Opens the ledger for a worker: at its start, and again whenever it finds that the ledger was emptied.
--
-- An emptied ledger does not know what was called within the last window. Whoever finds it so begins a new epoch, and
-- with it a hold `cold_start` of one window and one call timeout. Until then a worker may have shown by other means
-- what was called (rebuild.lua); not so where a worker that lives saw its ledger vanish: then the hold is kept whole.
--
-- KEYS  see ledger.lua
-- ARGV  5 id for a new epoch   6 … calls that the caller made (ledger.lua)
--
-- Returns  {'created' or 'joined', epoch, now, end of the hold `cold_start` or 0, 1 if it may be rebuilt}
-- Writes   the epoch and its hold if there is none; missing calls; the caller's settings.
tell_quota()
add_missing(6)
local _, window, timeout = quota_in_force()

local kind = 'joined'
local id, created_at, loss_seen = unpack(redis.call('HMGET', epoch, 'id', 'createdAt', 'lossSeen'))
if not id then
  kind, id, created_at, loss_seen = 'created', ARGV[5], as_text(now_up), '0'
end
local saw_loss = ARGV[1] ~= '' and ARGV[1] ~= id
if saw_loss then
  loss_seen = '1'
end

local held_until = tonumber(redis.call('HGET', holds, 'cold_start') or '0')
if kind == 'created' or saw_loss then
  held_until = math.max(held_until, tonumber(created_at) + window + timeout)
  redis.call('HSET', epoch, 'id', id, 'createdAt', created_at, 'lossSeen', loss_seen)
  redis.call('HSET', holds, 'cold_start', as_text(held_until))
end
return { kind, id, now, held_until > now and held_until or 0, loss_seen == '0' and 1 or 0 }
