-- Records what became of a call that may have reached Defender, and from when its permit counts.
--
-- A permit is free again one window after the answer, because only then every arrival at Defender that belongs to it
-- is certainly a window old. Without an answer it counts from the moment at which the call must have been given up.
--
-- KEYS  1 calls   2 entries   3 intents   (see spend.lua)
-- ARGV  1 call id   2 outcome   3 window ms   4 JSON of further facts on the call (investigation id, status, ...)
--
-- Returns  {'recorded', free at}   also when the same answer was recorded before
--          {'missing', 0}          the ledger does not know the call (it was emptied)
-- Writes   the outcome, once: the first one recorded stands.
local calls, entries, intents = KEYS[1], KEYS[2], KEYS[3]
local call_id, outcome, window = ARGV[1], ARGV[2], tonumber(ARGV[3])

local json = redis.call('HGET', entries, call_id)
if not json then
  return { 'missing', 0 }
end
local entry = cjson.decode(json)
if entry.outcome ~= 'under-way' then
  return { 'recorded', tonumber(redis.call('ZSCORE', calls, call_id) or '0') }
end

-- Rounded up, as `spent at` is: the call may have arrived within this very millisecond.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.ceil(clock[2] / 1000)
local counted_from = math.min(now, entry.spentAt + entry.callTimeoutMs)
entry.outcome = outcome
entry.answeredAt = now
entry.facts = cjson.decode(ARGV[4])
redis.call('ZADD', calls, counted_from + window, call_id)
redis.call('HSET', entries, call_id, cjson.encode(entry))
if redis.call('HGET', intents, entry.dispatchId) == call_id then
  redis.call('HDEL', intents, entry.dispatchId)
end
return { 'recorded', counted_from + window }
