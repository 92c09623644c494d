-- include ledger.lua
--
-- Whose calls a 429 follows.
--
-- The quota that Defender keeps is known from what it says in the 429, else from what it once took: so many calls, all
-- accepted within one window, are within its quota (`proven`). A call answered 429 as 'external' counts for nothing here
-- even if Defender counts it: it was refused because of others.
--
-- estimate   see ledger.lua
--   proven   '<calls>/<window ms>/<when, ms>'
local memory_windows = 24

-- How many own calls Defender can have counted in its window when this one arrived, this one included, and how many it
-- certainly had accepted in it before. A call arrives between its spending and the time from which it counts.
local function own_calls(call_id, entry, counts_from, window)
  local since = '(' .. as_text(entry.spentAt - window)
  local in_window = redis.call('ZRANGEBYSCORE', calls, since, '+inf', 'WITHSCORES')
  local begun, latest, certain = {}, {}, 0
  for i = 1, #in_window, 2 do
    local other, last = parse_entry(redis.call('HGET', entries, in_window[i])), tonumber(in_window[i + 1])
    if in_window[i] == call_id or not other or other.cause ~= 'external' then
      begun[#begun + 1] = math.max(other and other.spentAt or 0, entry.spentAt)
      latest[#latest + 1] = last
    end
    if other and other.outcome == 'started' and other.used and last <= entry.spentAt
      and other.spentAt > counts_from - window then
      certain = certain + 1
    end
  end
  -- The most at any moment at which this one can have arrived.
  table.sort(begun)
  local most, gone = 0, 0
  for count, at in ipairs(begun) do
    while gone < #latest and latest[gone + 1] <= at - window do
      gone = gone + 1
    end
    most = math.max(most, count - gone)
  end
  return most, certain
end

-- Returns  how many calls within one window are proven, 0 if none; when that was proven
local function proven_calls(window)
  local text = redis.call('HGET', estimate, 'proven') or ''
  local count, proven_in, at = parse_quota(text)
  if not count or proven_in > window or at + memory_windows * window <= now then
    return 0, 0
  end
  return count, at
end

-- A call was answered well. Counted is only where that can prove more, or proves the same anew.
local function note_proof(window)
  local proven, at = proven_calls(window)
  local possible = redis.call('ZCOUNT', calls, '(' .. as_text(now - window), '+inf')
  if possible < proven or (possible == proven and at + window > now) then
    return
  end
  local used, count = in_use(window), 0
  for i = 1, #used, 2 do
    local entry = parse_entry(redis.call('HGET', entries, used[i]))
    if entry and entry.outcome == 'started' and entry.used and entry.spentAt > now_up - window then
      count = count + 1
    end
  end
  if count > 0 and count >= proven then
    redis.call('HSET', estimate, 'proven', count .. '/' .. as_text(window) .. '/' .. as_text(now))
  end
end

-- stated   '<calls>/<window ms>' by the 429 itself, '' where it does not say
--
-- Returns  'external'   our own calls cannot explain it
--          'own'        our own accepted calls alone do, or the ledger let through more than its limit
--          'unclear'    both can be
local function throttle_cause(call_id, entry, counts_from, stated)
  local limit, window = quota_in_force()
  local quota, stated_window = string.match(stated, '^(%d+)/(%d+)$')
  quota, stated_window = tonumber(quota), tonumber(stated_window) or window
  if stated_window > memory_windows * window then
    return 'unclear'
  end
  local most, certain = own_calls(call_id, entry, counts_from, stated_window)
  if most <= (quota or proven_calls(window)) then
    return 'external'
  end
  return certain >= (quota or limit) and 'own' or 'unclear'
end
