-- include ledger.lua
--
-- Whose calls a 429 follows.
--
-- The quota that Defender keeps is known from what it says in the 429, else from what it once took: so many calls, all
-- accepted within one window, are within its quota (`proven`). A call answered 429 as 'external' counts for nothing here
-- even if Defender counts it: it was refused because of others.
--
-- estimate   see ledger.lua
--   proven   '<calls>/<window ms>/<when, ms>', one for each window, joined by commas
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

-- Returns  {{count, window, at}, ...}
local function read_proven()
  local all = {}
  for count, window, at in string.gmatch(redis.call('HGET', estimate, 'proven') or '', '(%d+)/(%d+)/(%d+)') do
    all[#all + 1] = { count = tonumber(count), window = tonumber(window), at = tonumber(at) }
  end
  return all
end

-- Returns  how many calls within one window are proven, 0 if none; when that was proven. A longer window takes no fewer.
local function proven_calls(window)
  local most = { count = 0, at = 0 }
  for _, one in ipairs(read_proven()) do
    if one.window <= window and one.at + memory_windows * window > now and one.count >= most.count then
      most = one
    end
  end
  return most.count, most.at
end

local function write_proof(window, count)
  local texts = { string.format('%d/%.0f/%.0f', count, window, now) }
  for _, one in ipairs(read_proven()) do
    if one.window ~= window and one.at + memory_windows * one.window > now then
      texts[#texts + 1] = string.format('%d/%.0f/%.0f', one.count, one.window, one.at)
    end
  end
  redis.call('HSET', estimate, 'proven', table.concat(texts, ','))
end

-- A call was answered well. Counted is only where that can prove more, or proves the same anew; where that means to look
-- at many calls, a hundred times in a window at most.
local function note_proof(window)
  local proven, at = proven_calls(window)
  local possible = count_in_use(window)
  if possible < proven or (possible == proven and at + window > now)
    or (possible > 250 and at + window / 100 > now) then
    return
  end
  local count = 0
  each_record(in_use(window), function(_, json)
    local entry = json and parse_entry(json)
    if entry and entry.outcome == 'started' and entry.used and entry.spentAt > now_up - window then
      count = count + 1
    end
  end)
  if count > 0 and count >= proven then
    write_proof(window, count)
  end
end

-- limit    the one of the ledger that the 429 is counted against
-- stated   '<calls>/<window ms>' by the 429 itself, '' where it does not say
--
-- Returns  'external'   our own calls cannot explain it
--          'own'        our own accepted calls alone do, or the ledger let through more than its limit
--          'unclear'    both can be
local function throttle_cause(call_id, entry, counts_from, limit, stated, longest)
  local quota, window = string.match(stated, '^(%d+)/(%d+)$')
  quota, window = tonumber(quota), tonumber(window) or limit.window
  local is_cut_short = window > longest and redis.call('ZCARD', calls) >= least_kept
  if window > memory_windows * longest or is_cut_short then
    return 'unclear'
  end
  local most, certain = own_calls(call_id, entry, counts_from, window)
  if most <= (quota or proven_calls(limit.window)) then
    return 'external'
  end
  return certain >= (quota or limit.calls) and 'own' or 'unclear'
end
