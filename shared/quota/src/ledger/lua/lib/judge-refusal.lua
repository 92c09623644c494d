-- include ledger.lua
--
-- Whose fault a refusal is: that of the one request that met it, or of the path that all calls take.
--
-- A refusal counts against its task when the path has shown itself to be well meanwhile: other calls were answered
-- well between its last refusal and this one; or no other call was made in between, and others were answered well since
-- its first one. Where others were refused too and none was answered well, it is the path's and counts for nothing.
--
-- answers              see ledger.lua
-- answers:<task>   string: JSON of what a task was refused so far, for a week
--   count      refusals that count, the first included
--   total      all of them
--   since      good answers of all calls when it was refused first
--   good, refused, throttled   answers of all calls, by sort, when it was refused last
local week = 7 * 24 * 3600000

local function past_of(key)
  local is_json, past = pcall(cjson.decode, redis.call('GET', key) or '')
  return is_json and type(past) == 'table' and past.count and past or nil
end

-- A good answer: whatever was in the way of all calls is over.
local function note_good(task_id)
  redis.call('HINCRBY', answers, 'good', 1)
  redis.call('DEL', answers .. ':' .. task_id, streaks)
  redis.call('ZREM', aside, task_id)
end

local function read_answers()
  local good, refused, throttled = unpack(redis.call('HMGET', answers, 'good', 'refused', 'throttled'))
  return tonumber(good) or 0, tonumber(refused) or 0, tonumber(throttled) or 0
end

local function remember(key, past, good, refused, throttled)
  past.good, past.refused, past.throttled = good, refused, throttled
  redis.call('SET', key, cjson.encode(past), 'PX', week)
end

-- A token was rejected: whether the next one will be is to be tried by one call alone. It is no refusal yet, but from now
-- on this task is called with a token of its own.
local function note_doubt(task_id)
  local key = answers .. ':' .. task_id
  redis.call('HSETNX', streaks, 'token_rejected', 1)
  if not past_of(key) then
    local good, refused, throttled = read_answers()
    remember(key, { count = 0, total = 0, since = good }, good, refused, throttled)
  end
end

-- rule   sort      'refused' or 'throttled'
--        count, calls, proof   the task is at fault after so many refusals that count, of so many in all, with so
--                  many good answers of others since the first. A throttled one starts over when others are throttled
--        asideFrom, asideFor   from so many refusals on it is set aside until so many others were answered well
--
-- Returns  'own', which says that the path is well, 'aside' or 'shared'
local function judge_refusal(task_id, rule)
  local key = answers .. ':' .. task_id
  local good, refused, throttled = read_answers()
  local is_throttled = rule.sort == 'throttled'

  local past = past_of(key)
  if not past or (is_throttled and throttled > past.throttled) then
    past = { count = 1, total = 1, since = good }
  else
    past.total = past.total + 1
    if good > past.good or (refused == past.refused and good > past.since) then
      past.count = past.count + 1
    end
    past.count = math.max(past.count, 1)
  end
  refused, throttled = refused + 1, throttled + (is_throttled and 1 or 0)
  redis.call('HSET', answers, 'refused', refused, 'throttled', throttled)

  if past.count >= rule.count and past.total >= rule.calls and good - past.since >= rule.proof then
    redis.call('DEL', key, streaks)
    redis.call('ZREM', aside, task_id)
    return 'own'
  end
  remember(key, past, good, refused, throttled)
  if past.total < rule.asideFrom then
    return 'shared'
  end
  redis.call('ZADD', aside, good + rule.asideFor, task_id)
  return 'aside'
end
