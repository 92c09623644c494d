-- include lib/task-place.lua, lib/audit.lua
--
-- Changes priority or deadline of one request that is queued, and with it the place of its task: that goes by the
-- most urgent of its requests, and waits as long as the most patient. A request that is lowered takes none of the others
-- along: they keep the place that they have by themselves.
--
-- KEYS  see lib/request-status.lua
-- ARGV  3 request id   4 JSON of what it asked, as the caller of this script knows it   5 the same, changed
--       6 'not after' ms or ''   7 its flow (order.lua)   8 its time of arrival, ms   9 JSON of the order's rules
--       10 the entry for the record   11 how often a request may be changed   12 who acts, for whom the entry counts
--       13 ms for which entries are kept
--
-- Returns  {'changed', task id, the task's job priority}
--          {'outdated', '', 0}: it was changed meanwhile; nothing is written
--          {'worn', '', 0}: it was changed so often; nothing is written
--          {present status or 'missing', '', 0}: it is not queued; nothing is written
-- Writes   'promoted' on the task too, until its job has followed; 'changes' on the request
local request_id, known, changed, not_after = ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local flow, arrived_at = ARGV[7], tonumber(ARGV[8])

local request_key = space .. ':request:' .. request_id
local status, task_id, changes = unpack(redis.call('HMGET', request_key, 'status', 'task', 'changes'))
if status ~= 'queued' then
  return { status or 'missing', '', 0 }
elseif doc_of(request_key) ~= known then
  return { 'outdated', '', 0 }
elseif (tonumber(changes) or 0) >= tonumber(ARGV[11]) then
  return { 'worn', '', 0 }
end
open_order(ARGV[9], now)

local doc = {}
add_doc(doc, changed)
redis.call('HDEL', request_key, unpack(doc_parts))
redis.call('HSET', request_key, unpack(doc))
if not_after == '' then
  redis.call('HDEL', request_key, 'notAfter')
  redis.call('ZREM', deadlines_key, request_id)
else
  redis.call('HSET', request_key, 'notAfter', not_after)
  redis.call('ZADD', deadlines_key, not_after, request_id)
end

-- Not by cjson, which takes long for thousands, and does not read every JSON that JavaScript writes: half a character in a
-- comment is enough. Quotes in a caller's own words are escaped, so they are not taken for it, and what may have a member of
-- the same name stands behind it.
local priority_mark = '"priority":"'
local function priority_in(its_doc)
  local _, at = string.find(its_doc or '', priority_mark, 1, true)
  local its_priority = at and string.match(its_doc, '^(%a+)"', at + 1)
  return urgency[its_priority or ''] and its_priority or nil
end

-- How many values stand in a list from there on, as far as the first that is none.
local function parts_in(list, from)
  local to = from
  while list[to] do
    to = to + 1
  end
  return to - from
end

local task_key = space .. ':task:' .. task_id
local first, state, priority, virtual_start, job_priority, flow_caller = unpack(
  redis.call('HMGET', task_key, 'first', 'state', 'priority', 'virtualStart', 'jobPriority', 'flowCaller'))
local task = { id = task_id, state = state, first = first or '', priority = priority, virtual_start = tonumber(virtual_start),
  job_priority = tonumber(job_priority), flow_caller = flow_caller or nil }
local requests = redis.call('ZRANGE', task_key .. ':joined', 0, -1)
if first then
  table.insert(requests, 1, first)
end

-- The latest deadline, nil where one of the requests has none.
local latest = 0
for _, id in ipairs(requests) do
  local deadline = redis.call('HGET', space .. ':request:' .. id, 'notAfter')
  if not deadline then
    latest = nil
    break
  end
  latest = math.max(latest, tonumber(deadline))
end

-- The most urgent class. Only where the task may be lowered the others count, which may be thousands, and no further than to
-- one that keeps it where it is. What is corrupt, or gone, counts for nothing here: the worker ends it.
local best, of_class, batches = priority_in(changed), { critical = {}, high = {}, medium = {}, low = {} }, {}
if urgency[priority or ''] and (not best or urgency[best] > urgency[priority]) then
  best = nil
  for _, id in ipairs(requests) do
    local found = redis.call('HMGET', space .. ':request:' .. id, 'batch', 'caller', 'caller1', unpack(doc_parts))
    local its_priority = priority_in(table.concat(found, '', 4, 3 + parts_in(found, 4)))
    if its_priority and (not best or urgency[its_priority] < urgency[best]) then
      best = its_priority
    end
    if its_priority then
      table.insert(of_class[its_priority], { id = id, caller = (found[2] or '') .. (found[3] or '') })
    end
    if found[1] then
      batches[found[1]] = true
    end
    if its_priority and urgency[its_priority] <= urgency[priority] then
      break
    end
  end
end
if latest then
  redis.call('HSET', task_key, 'notAfter', string.format('%.0f', latest))
else
  redis.call('HDEL', task_key, 'notAfter')
end

-- The flow and the time of arrival of a request of the task; nil where they cannot be read.
local function flow_and_arrival(id, caller)
  if id == request_id then
    return flow, arrived_at
  end
  local is_json, asked = pcall(cjson.decode, doc_of(space .. ':request:' .. id))
  if is_json and type(asked) == 'table' and tonumber(asked.at) then
    return caller .. '\0' .. text_in(asked, 'source'), tonumber(asked.at)
  end
end

-- Where the task stands in a class that is less urgent than its own: where it stood when it left that class, or where the
-- first request that one of the callers has in it would stand by itself, whichever goes before.
--
-- Returns  its virtual start, and the caller whose place that is
local function place_in(class)
  local start, whose = string.match(redis.call('HGET', task_key, 'left:' .. class) or '', '^(%d+):(.*)$')
  local place, of_flow, of_arrival = tonumber(start), nil, nil
  local is_tried = {}
  for _, request in ipairs(of_class[class]) do
    local its_flow, its_arrival
    if not is_tried[request.caller] then
      its_flow, its_arrival = flow_and_arrival(request.id, request.caller)
    end
    if its_flow then
      is_tried[request.caller] = true
      local fresh = next_virtual_start(class, its_flow, its_arrival)
      if not place or fresh < place then
        place, of_flow, of_arrival = fresh, its_flow, its_arrival
      end
    end
  end
  if not place then
    place, of_flow, of_arrival = next_virtual_start(class, flow, arrived_at), flow, arrived_at
  end
  if of_flow then
    charge_flow(class, of_flow, place, of_arrival)
    whose = parts_of(of_flow)
  end
  return place, whose
end

if not best or not urgency[priority or ''] then
  -- No order to keep.
elseif urgency[best] < urgency[priority] then
  promote(task, best, flow, arrived_at)
  task.raised_by = task.is_raised and request_id or nil
  redis.call('HSET', task_key, place_of(task))
  note_flow(task_key, task)
elseif urgency[best] > urgency[priority] then
  -- One that was moved to the head stays there.
  local new_virtual_start, whose = place_in(best)
  add_waiting(priority, -1)
  add_waiting(best, 1)
  task.priority, task.virtual_start, task.flow = best, new_virtual_start, whose .. '\0'
  if redis.call('HEXISTS', task_key, 'head') == 0 then
    task.job_priority = job_priority_of(best, new_virtual_start)
  end
  redis.call('HDEL', task_key, 'raisedBy', 'raisedOn')
  redis.call('HSET', task_key, place_of(task))
  note_flow(task_key, task)
  -- It may be the last of its batches now: which one is, is read again (batch-tail.ts).
  for batch_id in pairs(batches) do
    redis.call('HDEL', space .. ':batch:' .. batch_id, 'tail')
  end
end
redis.call('HSET', task_key, 'promoted', 1)
write_order(ARGV[9], arrived_at)
redis.call('HINCRBY', request_key, 'changes', 1)
audit(space .. ':audit', ARGV[10], ARGV[13])
count_entry(ARGV[12], #ARGV[10], tonumber(ARGV[13]))
return { 'changed', task_id, tonumber(redis.call('HGET', task_key, 'jobPriority')) or highest_job_priority }
