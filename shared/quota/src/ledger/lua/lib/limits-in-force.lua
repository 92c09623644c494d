-- include ledger.lua
--
-- The limits that hold now, of all quotas that workers have declared, and how many calls fit into them after a 429.
--
-- A limit is a table: `calls` in any `window` (ms); where fewer fit after a 429 `fit`, how many, and `fit_until`.
--
-- settings, estimate, ARGV 2, 3   see ledger.lua
local own_quota = ARGV[2] .. '/' .. ARGV[3]

-- Returns  {limits = {{calls, window}, ...}, longest = the longest window, timeout}
local function parse_quota(text)
  local numbers, quota = {}, { limits = {}, longest = 0, text = text }
  for number in string.gmatch(text, '%d+') do
    numbers[#numbers + 1] = tonumber(number)
  end
  -- Without limits everything would be granted.
  assert(#numbers >= 3 and #numbers % 2 == 1, 'a quota that cannot be read')
  for i = 1, #numbers - 1, 2 do
    quota.limits[#quota.limits + 1] = { calls = numbers[i], window = numbers[i + 1] }
    quota.longest = math.max(quota.longest, numbers[i + 1])
  end
  quota.timeout = numbers[#numbers]
  return quota
end

-- Returns declared quotas, each with `at`, the longest window among them and the quota declared last.
local function declared_quotas()
  local flat = redis.call('HGETALL', settings)
  local declared, longest, last = {}, 0, nil
  for i = 1, #flat, 2 do
    local one = parse_quota(flat[i])
    one.at = tonumber(flat[i + 1])
    declared[#declared + 1] = one
    longest = math.max(longest, one.longest)
    if not last or one.at > last.at then
      last = one
    end
  end
  return declared, longest, last
end

-- Without the limits that another one implies: no more calls in a window as long or longer. What is left has windows
-- and calls that both rise.
local function strictest(limits)
  table.sort(limits, function(one, other)
    return one.window < other.window or (one.window == other.window and one.calls > other.calls)
  end)
  local kept = {}
  for i = #limits, 1, -1 do
    if #kept == 0 or limits[i].calls < kept[1].calls then
      table.insert(kept, 1, limits[i])
    end
  end
  return kept
end

-- The limits in force: all that were declared within the longest window, without those that others imply. A caller that
-- knows the generation is a worker and bound by its own settings too; a reader's count if none was declared.
--
-- Returns  limits by length of their windows, the longest window, the longest call timeout
local function quota_in_force()
  local declared, longest, last = declared_quotas()
  local base = ARGV[1] == '' and last or parse_quota(own_quota)
  longest = math.max(longest, base.longest)
  local limits, timeout = {}, base.timeout
  local function bind(quota)
    for _, limit in ipairs(quota.limits) do
      limits[#limits + 1] = { calls = limit.calls, window = limit.window }
    end
    timeout = math.max(timeout, quota.timeout)
  end
  bind(base)
  for _, one in ipairs(declared) do
    if one.at + longest + one.timeout > now then
      bind(one)
    end
  end
  limits = strictest(limits)
  return limits, limits[#limits].window, timeout
end

-- Notes that the caller's settings are in force now, and that those they replace were until now.
local function declare_quota()
  local declared, longest, last = declared_quotas()
  if last and last.text ~= own_quota then
    redis.call('HSET', settings, last.text, as_text(now - 1))
  end
  redis.call('HSET', settings, own_quota, as_text(now))
  longest = math.max(longest, parse_quota(own_quota).longest)
  for _, one in ipairs(declared) do
    if one.text ~= own_quota and one ~= last and one.at + longest + one.timeout <= now then
      redis.call('HDEL', settings, one.text)
    end
  end
end

-- The limit of the shortest window that is at least this long; else that of the longest.
local function limit_for(limits, window)
  for _, limit in ipairs(limits) do
    if limit.window >= window then
      return limit
    end
  end
  return limits[#limits]
end

-- Adds to each limit for which a 429 has shown lately that fewer calls fit: `fit`, how many, and `fit_until`.
local function add_estimates(limits)
  local flat = redis.call('HGETALL', estimate)
  for i = 1, #flat, 2 do
    local window = tonumber(flat[i])
    local fit, ends = string.match(flat[i + 1], '^(%d+)/(%d+)$')
    fit, ends = tonumber(fit), tonumber(ends)
    if window and fit and ends > now then
      local limit = limit_for(limits, window)
      if fit < (limit.fit or limit.calls) then
        limit.fit, limit.fit_until = fit, math.max(ends, limit.fit_until or 0)
      end
    end
  end
  return limits
end

-- A 429 turned out to be the machine's own: it was not for want of quota.
local function forget_estimates()
  for _, field in ipairs(redis.call('HKEYS', estimate)) do
    if tonumber(field) then
      redis.call('HDEL', estimate, field)
    end
  end
end

-- While fewer calls fit than the limit: how many are counted against that, and when its next slot opens, 0 if one is free.
local function use_of_fit(limit)
  local fitted = fitted_times(limit.window)
  local opens = #fitted >= limit.fit and fitted[#fitted - limit.fit + 1] + limit.window or 0
  return #fitted, opens
end
