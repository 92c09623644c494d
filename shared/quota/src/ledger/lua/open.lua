-- include lib/limits-in-force.lua
--
-- Opens the ledger for a worker: at its start, and again whenever it finds that the ledger is not as it knew it. What the
-- worker remembers it has handed over before (hand-over.lua).
--
-- An emptied ledger does not know which calls were made within the last window. The worker that finds it empty begins a new
-- generation, and with it a hold `cold_start` of the longest window and one call timeout. Until that ends, a worker may add the calls
-- that Defender lists (rebuild.lua), unless a living worker saw its ledger vanish: then the hold lasts its whole time.
--
-- A ledger on another Redis process than before, or one that lacks a call, may be an older state of itself. The worker
-- that finds this begins a handover, and with it a hold `failover`: no call is granted until every worker that was alive has
-- opened the ledger again and so handed over the calls that it remembers. The hold for a worker that does not do so ends
-- after the longest time; after the longest window and one call timeout if a worker found a call missing, since more may be missing.
--
-- KEYS  see ledger.lua
-- ARGV  7 id for a new generation   8 id for a new handover   9 1 if something was missing that the caller knew
--       10 ms that a handover takes at least, for workers that are not known here   11 ms at most, where nothing is missing
--       12 ms since the last sign of life of any worker, for which another without one still counts as alive
--
-- Returns  {'created' or 'joined', generation, now, end of the hold `cold_start` or 0, 1 if it may be rebuilt,
--           handover, changes, end of the hold `failover` or 0}
-- Writes   generation, handover and their holds; the caller's settings and sign of life.
declare_quota()
local _, longest, timeout = quota_in_force()

local kind = 'joined'
local id, created_at, loss_seen, handover, server, handover_at, alive_since, rewound, changes = unpack(redis.call(
  'HMGET', generation, 'id', 'createdAt', 'lossSeen', 'handover', 'server', 'handoverAt', 'aliveSince', 'rewound', 'changes'))
if not id then
  kind, id, created_at, loss_seen = 'created', ARGV[7], as_text(now_up), '0'
end
local saw_loss = ARGV[1] ~= '' and ARGV[1] ~= id
if saw_loss then
  loss_seen = '1'
end

local held_until = tonumber(redis.call('HGET', holds, 'cold_start') or '0')
if kind == 'created' or saw_loss then
  held_until = math.max(held_until, tonumber(created_at) + longest + timeout)
  redis.call('HSET', holds, 'cold_start', as_text(held_until))
  redis.call('HDEL', holds .. ':details', 'cold_start')
end

local is_missing = ARGV[9] == '1' or (ARGV[1] == id and (tonumber(changes) or 0) < tonumber(ARGV[5]))
local failover_until = tonumber(redis.call('HGET', holds, 'failover') or '0')
local is_on = failover_until > now
local begins = server ~= server_id() or (is_missing and handover == ARGV[4] and not is_on)
local last_sign = 0
for _, sign in ipairs(redis.call('HVALS', workers)) do
  last_sign = math.max(last_sign, tonumber(string.match(sign, '^%d+')) or 0)
end
if kind == 'created' or begins then
  -- Nothing that stands in an empty ledger was recorded before it.
  handover, server, handover_at = ARGV[8], server_id(), kind == 'created' and 0 or now_up
  alive_since, rewound = last_sign - tonumber(ARGV[12]), '0'
  tell_workers()
end
if is_missing then
  rewound = '1'
end
changes = math.max(tonumber(changes) or 0, tonumber(ARGV[5]))
redis.call('HSET', generation, 'id', id, 'createdAt', created_at, 'lossSeen', loss_seen, 'handover', handover,
  'server', server, 'handoverAt', as_text(tonumber(handover_at)), 'aliveSince', as_text(tonumber(alive_since)),
  'rewound', rewound, 'changes', as_text(changes))
show_life(handover)

-- Whether a worker that was alive before has not opened the ledger again since. Those whose last sign is older than this
-- time are forgotten.
local function is_awaited(oldest)
  local flat, awaited = redis.call('HGETALL', workers), false
  for i = 1, #flat, 2 do
    local at, took_part_in = string.match(flat[i + 1], '^(%d+)/([^/]*)')
    if not at or tonumber(at) < oldest then
      redis.call('HDEL', workers, flat[i])
    elseif took_part_in ~= handover then
      awaited = true
    end
  end
  return awaited
end

-- An emptied ledger is held for longer anyway.
if kind ~= 'created' and (begins or is_on or (is_missing and not saw_loss)) then
  local ends = handover_at + tonumber(ARGV[10])
  if is_awaited(tonumber(alive_since)) then
    ends = handover_at + tonumber(ARGV[11])
    if rewound == '1' then
      ends = math.max(ends, handover_at + longest + timeout)
    end
  end
  -- Ended sooner than it was to, it ends now: what waited, waited until now.
  failover_until = math.max(ends, math.min(failover_until, now))
  redis.call('HSET', holds, 'failover', as_text(failover_until))
else
  -- No later handover waits for a worker that is silent by now.
  is_awaited(last_sign - tonumber(ARGV[12]))
end
return {
  kind, id, now, held_until > now and held_until or 0, loss_seen == '0' and 1 or 0,
  handover, changes, failover_until > now and failover_until or 0,
}
