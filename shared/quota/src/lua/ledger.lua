-- What all scripts of the ledger share; it stands in front of each of them.
--
-- KEYS  1 calls      sorted set: call id -> time (ms) from which its window counts: the answer, or the moment at which
--                    the call must have been given up. Its permit is free again one window after that
--       2 entries    hash: call id -> JSON of the call
--       3 intents    hash: dispatch id -> call id of the call that is under way for it
--       4 holds      hash: reason -> time (ms) until which nobody may call
--       5 epoch      hash: id, createdAt, lossSeen. Gone when the ledger was emptied
--       6 settings   hash: limit/window/timeout -> when a worker last said that this is the quota (ms)
--       7 estimate   hash: limit, until. How many calls fit while somebody else uses the same quota
-- ARGV  1 the epoch that the caller knows, '' if none   2 limit   3 window ms   4 call timeout ms (the caller's settings)
local calls, entries, intents, holds, epoch, settings, estimate = unpack(KEYS)
local own_quota = ARGV[2] .. '/' .. ARGV[3] .. '/' .. ARGV[4]

-- What is compared is rounded down and what is recorded is rounded up, so that rounding never shortens a window.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local now_up = clock[1] * 1000 + math.ceil(clock[2] / 1000)

local function as_text(ms)
  return string.format('%.0f', ms)
end

-- The call that was recorded as this JSON; nil for one that is missing or cannot be read, which counts as missing.
local function parse_entry(json)
  local ok, entry = pcall(cjson.decode, json)
  return ok and type(entry) == 'table' and entry.spentAt and entry.outcome and entry or nil
end

local function knows_epoch()
  return ARGV[1] ~= '' and redis.call('HGET', epoch, 'id') == ARGV[1]
end

local function parse_quota(text)
  local limit, window, timeout = string.match(text, '^(%d+)/(%d+)/(%d+)$')
  return tonumber(limit), tonumber(window), tonumber(timeout)
end

-- Returns told {{limit, window, timeout, at, text}, ...}, the longest window among them and the one told last.
local function told_quotas()
  local flat = redis.call('HGETALL', settings)
  local told, longest, last = {}, 0, nil
  for i = 1, #flat, 2 do
    local limit, window, timeout = parse_quota(flat[i])
    local one = { limit = limit, window = window, timeout = timeout, at = tonumber(flat[i + 1]), text = flat[i] }
    told[#told + 1] = one
    longest = math.max(longest, window)
    if not last or one.at > last.at then
      last = one
    end
  end
  return told, longest, last
end

-- The quota in force: the smallest limit and the longest window of all that were told within the longest window. A
-- caller that knows the epoch is a worker and bound by its own settings too; a reader's count where nobody told any.
local function quota_in_force()
  local told, longest, last = told_quotas()
  local limit, window, timeout = parse_quota(own_quota)
  if ARGV[1] == '' and last then
    limit, window, timeout = last.limit, last.window, last.timeout
  end
  longest = math.max(longest, window)
  for _, one in ipairs(told) do
    if one.at + longest + one.timeout > now then
      limit, window = math.min(limit, one.limit), math.max(window, one.window)
      timeout = math.max(timeout, one.timeout)
    end
  end
  return limit, window, timeout
end

-- Notes that the caller's settings are in force now, and that those they replace were until now.
local function tell_quota()
  local told, longest, last = told_quotas()
  if last and last.text ~= own_quota then
    redis.call('HSET', settings, last.text, as_text(now - 1))
  end
  redis.call('HSET', settings, own_quota, as_text(now))
  longest = math.max(longest, tonumber(ARGV[3]))
  for _, one in ipairs(told) do
    if one.text ~= own_quota and one ~= last and one.at + longest + one.timeout <= now then
      redis.call('HDEL', settings, one.text)
    end
  end
end

-- Adds calls that the caller made and that are missing: five arguments each from `first` on, call id, dispatch id,
-- time from which its window counts, outcome, JSON of the call. What is there and can be read is left as it is.
local function add_missing(first)
  for i = first, #ARGV, 5 do
    local call_id, dispatch_id, counted_from, outcome, json = unpack(ARGV, i, i + 4)
    local added = redis.call('ZADD', calls, 'NX', counted_from, call_id)
    if not parse_entry(redis.call('HGET', entries, call_id)) then
      redis.call('HSET', entries, call_id, json)
      added = added + 1
    end
    if added > 0 and outcome == 'under-way' then
      redis.call('HSETNX', intents, dispatch_id, call_id)
    end
  end
end

local function in_use(window)
  return redis.call('ZRANGEBYSCORE', calls, '(' .. as_text(now - window), '+inf', 'WITHSCORES')
end

-- Of the permits in use, the times from which those count whose call was not answered 429, in order.
local function fitted_times(window)
  local used, times = in_use(window), {}
  for i = 1, #used, 2 do
    local entry = parse_entry(redis.call('HGET', entries, used[i]))
    if not entry or entry.outcome ~= 'throttled' then
      times[#times + 1] = tonumber(used[i + 1])
    end
  end
  return times
end

-- How many calls fit, if somebody else's use of the quota has shown lately; else nil.
local function estimate_in_force()
  local limit, ends = unpack(redis.call('HMGET', estimate, 'limit', 'until'))
  return limit and tonumber(ends) > now and tonumber(limit) or nil
end
