-- include lib/limits-in-force.lua
--
-- Reads the ledger in one step, for quota, forecast, metrics and the worker's next decision.
--
-- KEYS  see ledger.lua
-- ARGV  see ledger.lua; a reader's settings apply if no worker has declared any
--       7 'alive' for a sign of life, 'left' for the last one of a worker that was stopped in order: what it called counts as
--         before, and a handover waits for it as for any other, since it may have made calls that are missing
--       8 how many calls are listed at most   9 'times' for those of all others in use
--
-- Returns  {now, {limit, ...} by length of their windows,
--           {reason, until, ...} of the holds that are on,
--           {counts from, entry JSON, ...} of the newest permits in use, in order,
--           {ages of all others in use, ages of those of them that were answered 429}: by how many ms they count from before
--           now, joined by ',', newest first; '' unless asked for. The second is given while fewer calls fit than a limit,
--           1 if this is the ledger as the caller knows it, changes,
--           1 if the path is in doubt, until when the one call that tries it can last or 0,
--           {details JSON or '', ...} of the holds that are on, in the same order,
--           {sign of life, ...} of the workers, as they stand}
--          A limit: {window ms, calls, permits in use, when its next slot opens or 0, calls that fit after a 429 or 0,
--           until when, permits in use that count against that, when its next slot opens by that or 0}
-- Writes   nothing but the sign of life.
local limits, longest = quota_in_force()
local is_lower, states = false, {}
for i, limit in ipairs(add_estimates(limits)) do
  local last = nth_newest(limit.calls)
  local opens = last and last > now - limit.window and last + limit.window or 0
  local fitted, fit_opens = 0, 0
  if limit.fit then
    is_lower = true
    fitted, fit_opens = use_of_fit(limit)
  end
  states[i] = { limit.window, limit.calls, count_in_use(limit.window), opens,
    limit.fit or 0, limit.fit_until or 0, fitted, fit_opens }
end

local on, details = {}, {}
local all_holds = redis.call('HGETALL', holds)
for i = 1, #all_holds, 2 do
  if tonumber(all_holds[i + 1]) > now then
    on[#on + 1] = all_holds[i]
    on[#on + 1] = tonumber(all_holds[i + 1])
    details[#details + 1] = redis.call('HGET', holds .. ':details', all_holds[i]) or ''
  end
end

-- Newest first, and so read to the end at once.
local listed = redis.call('ZREVRANGEBYSCORE', calls, '+inf', '(' .. as_text(now - longest), 'WITHSCORES', 'LIMIT', 0, ARGV[8])
local slots = {}
each_record(listed, function(counts_from, json)
  table.insert(slots, 1, json or 'null')
  table.insert(slots, 1, counts_from)
end)
local others, ages, throttled = {}, {}, {}
if ARGV[9] == 'times' and count_in_use(longest) > #listed / 2 then
  others = redis.call('ZREVRANGEBYSCORE', calls, '+inf', '(' .. as_text(now - longest), 'WITHSCORES', 'LIMIT', ARGV[8], -1)
end
for i = 2, #others, 2 do
  ages[#ages + 1] = as_text(now - tonumber(others[i]))
end
if is_lower then
  each_record(others, function(counts_from, json)
    if is_throttled(json) then
      throttled[#throttled + 1] = as_text(now - counts_from)
    end
  end)
end
local is_known = is_as_known()
if is_known and ARGV[7] == 'alive' then
  show_life(ARGV[4])
elseif ARGV[7] == 'left' and redis.call('HEXISTS', workers, ARGV[6]) == 1 then
  show_life(ARGV[4] .. '/left')
end
local changes = tonumber(redis.call('HGET', generation, 'changes')) or 0
local in_doubt = is_in_doubt()
return { now, states, on, slots, { table.concat(ages, ','), table.concat(throttled, ',') }, is_known and 1 or 0, changes,
  in_doubt and 1 or 0, in_doubt and in_flight_until() or 0, details,
  redis.call('HVALS', workers) }
