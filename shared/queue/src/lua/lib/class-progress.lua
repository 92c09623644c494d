-- include request-status.lua
--
-- How many tasks of a class wait, and how far its virtual time has come: kept by the scripts that move tasks and give no
-- places, see order.lua.

-- The number of tasks of a class that wait, see order.lua.
local function count_waiting(priority, by)
  if priority then
    redis.call('HINCRBY', order_key, 'waiting:' .. priority, by)
  end
end

-- How far a call of this virtual start takes its class or its caller, which have come as far as `reached`: by one interval, or
-- to the present, at most. What stood before it and was cancelled, or is of another class by now, leaves a gap behind which no
-- other caller is to be put.
local function reached_by(virtual_start, reached, interval)
  return math.min(virtual_start, math.max(reached + interval, now))
end

-- The virtual time of a class is the greatest virtual start of what was begun of it, without gaps.
local function advance_class(priority, virtual_start)
  if not virtual_start or not priority then
    return
  end
  local virtual_time, rules = unpack(redis.call('HMGET', order_key, 'virtualTime:' .. priority, 'rules'))
  virtual_time = tonumber(virtual_time) or 0
  if virtual_start > virtual_time then
    local interval = rules and cjson.decode(rules).intervalMs or 0
    redis.call('HSET', order_key, 'virtualTime:' .. priority, reached_by(virtual_start, virtual_time, interval))
  end
end
