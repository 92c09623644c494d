-- Of what Defender runs at once only so many may be for machines of which it gets no reports: what is started there is pending until
-- the machine is back.

-- By what a look showed before the call: codes joined by commas, or nothing.
local function is_silent(warnings)
  return string.find(warnings or '', 'machine_offline', 1, true)
    or string.find(warnings or '', 'machine_not_onboarded', 1, true)
end

-- The tasks that run or are about to, each once. `keys` are sorted sets of task ids.
local function tasks_in(keys)
  local ids, known = {}, {}
  for _, key in ipairs(keys) do
    for _, id in ipairs(redis.call('ZRANGE', key, 0, -1)) do
      if not known[id] then
        known[id] = true
        ids[#ids + 1] = id
      end
    end
  end
  return ids
end

-- How many of these tasks, but for `but`, are for such machines.
local function count_silent(key_space, ids, but)
  local silent = 0
  for _, id in ipairs(ids) do
    if id ~= but and is_silent(redis.call('HGET', key_space .. ':task:' .. id, 'warnings')) then
      silent = silent + 1
    end
  end
  return silent
end
