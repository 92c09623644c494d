-- include lib/open-task.lua, lib/backlog.lua, lib/results.lua
--
-- Records accepted requests, each with a task: the one that is open for its coalescing key, or a new one. Where a result
-- with this key was started only just now, and is not known to have failed, the request ends with that one and gets no task.
-- The key is the machine, and of an operation with parameters what it says of them: see admission/sharing.ts.
-- This record is the acceptance. The queue's job for a task is added afterwards and can be added again from it.
--
-- KEYS  see lib/request-status.lua and lib/order.lua
-- ARGV  3 batch id or ''   4 time of arrival, ms   5 JSON of the order's rules   6 how long ago a result may have
--       been started to be shared, in ms; 0 for never   7 how many may join a task   8 most requests queued, '' where
--       room was kept before (see reserve-backlog.lua)   9 most tasks waiting, or ''   10 who asked, or ''
--       11 most requests of one caller queued, or '' where there is no bound   12 how many of one caller may join a task
--       13 most bytes stored of one caller, or ''
--       14 '' to record them; in a dry run what the chunks before it came to, 'none' for the first: the order
--       15 likewise JSON of the open tasks with these keys, else '{}'
--       16 1 if a request that was retried is not to be retried again, else ''
--       17 where keys end in the place in the order of the machine: ms for which it is remembered that a task was opened
--       there, else 0
--       then for each request:
--       request id, machine id, JSON of the request, id for a new task, its class, its flow (order.lua),
--       'not after' ms or '', source or '', callback or '', 1 if it is to share no earlier result, the bytes that count
--       for it, coalescing key, digests of its correlation (indexes.lua),
--       the request that it retries, or ''
--
-- Returns  per request: task id; id of the request that it shares a result with, or ''; the task's job
--          priority; what became of it: new, joined, promoted (the task has a better place than its job), reused,
--          full (too many joined, or too many of the caller: nothing is recorded, but the task is promoted by a more urgent
--          one all the same: then with its id and job priority), deleted (since its batch was accepted), retried (nothing is
--          recorded: what it retries was retried before, or is gone); the id of the result it ended with, or ''
--          error BACKLOG_FULL <requests queued> <tasks waiting> <requests queued of the caller> when there is no room; then nothing is recorded
--          error STORAGE_FULL <bytes stored of the caller, with those that room is kept for> likewise
--          error ORDER_SCALE when the time is off the scale of the priorities; then nothing is recorded
--          In a dry run two more: what it has come to so far, the order and the open tasks by key, JSON
-- Writes   nothing in a dry run, and nothing before each request has its place. Else request, task, the key's open
--          task, indexes and counts. A request id that is known already is left as it is and answered the same way,
--          because a client may send a script twice.
local batch_id, arrived_at, rules, reuse_for = ARGV[3], tonumber(ARGV[4]), ARGV[5], tonumber(ARGV[6])
local most_joined, most_requests, most_tasks, caller = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9]), ARGV[10]
local most_of_caller, most_joined_of_caller, most_bytes = tonumber(ARGV[11]), tonumber(ARGV[12]), tonumber(ARGV[13])
local is_dry_run, order_before, open_before, is_once = ARGV[14] ~= '', ARGV[14], ARGV[15], ARGV[16] == '1'
local placed_for = tonumber(ARGV[17])
-- Of the first request; each has fourteen arguments.
local first_argument, arguments = 18, 14
-- A batch that was accepted before. What is missing of it was deleted since, and is not accepted anew by a repeat.
local batch_size, is_accepting = unpack(redis.call('HMGET', space .. ':batch:' .. batch_id, 'total', 'accepting'))
local is_sealed = batch_size and not is_accepting

-- What is read of all these requests at once, and what is not written yet. Nothing is written before all have their places:
-- then a dry run stops.
--   open      key -> its open task, read or opened just now, with its requests that joined just now
--   tasks     those that were read or opened just now, by id
--   recent    key -> JSON of the result that was started last with it
--   known     whether one of the requests may be recorded already
--   recorded  the new requests: key and fields, and what `change_status` needs where one is started already
--   added     members of indexes with their scores, fields with their values
local open, tasks, recent_starts, is_any_known, recorded, bytes_added = {}, {}, {}, false, {}, 0
local added = { waiting = {}, unresolved = {}, machines = {}, by_machine = {}, by_source = {}, by_pair = {}, listed = {}, deadlines = {} }

local function is_named(machine)
  return string.find(machine, '=', 1, true) ~= nil
end

local function read_ahead()
  local keys, recents, requests = {}, {}, {}
  for i = first_argument, #ARGV, arguments do
    local key = ARGV[i + 11]
    keys[#keys + 1] = key
    recents[#recents + 1] = space .. ':machine:' .. key .. ':recent'
    requests[#requests + 1] = space .. ':request:' .. ARGV[i]
  end
  local found = redis.call('HMGET', machines_key, unpack(keys))
  local starts = reuse_for > 0 and redis.call('MGET', unpack(recents)) or {}
  for i, key in ipairs(keys) do
    recent_starts[key] = starts[i] or nil
    if found[i] and not open[key] then
      open[key] = read_task(found[i], caller)
    end
  end
  for _, task in pairs(open) do
    task.came, tasks[task.id] = {}, task
  end
  is_any_known = redis.call('EXISTS', unpack(requests)) > 0
end

-- The result with this key that was started recently enough to be shared, nil for none.
local function recent_of(key)
  local json = recent_starts[key]
  local recent = json and cjson.decode(json)
  if not recent or now - tonumber(recent.startedAt) >= reuse_for then
    return nil
  end
  recent.fields, recent.outcome = result_fields_of(space .. ':task:' .. recent.task)
  return recent.outcome ~= 'failed' and recent.outcome ~= 'cancelled' and recent or nil
end

local function open_task(task_id, machine_id, key, request_id, priority, flow, not_after)
  local virtual_start = next_virtual_start(priority, flow, arrived_at)
  charge_flow(priority, flow, virtual_start, arrived_at)
  local task = { id = task_id, state = 'waiting', first = request_id, priority = priority, virtual_start = virtual_start,
    job_priority = job_priority_of(priority, virtual_start), not_after = tonumber(not_after), flow_caller = caller, joined = 0, of_caller = 0,
    came = {}, is_new = true, machine = machine_id }
  append(added.machines, key, task_id)
  append(added.waiting, arrived_at, task_id)
  -- It is asked for by name: without a job until its machine is known (resolve-task.lua).
  if is_named(machine_id) then
    append(added.unresolved, task.job_priority, task_id)
  end
  add_waiting(priority, 1)
  open[key], tasks[task_id] = task, task
  return task
end

-- See indexes.lua.
local function index_new(id, status, machine, source, digests, is_by_machine)
  added.listed[status] = added.listed[status] or {}
  append(added.listed[status], 0, id)
  if is_by_machine and not is_named(machine) then
    append(added.by_machine, 0, machine .. ':' .. id)
  end
  if source ~= '' then
    append(added.by_source, 0, source .. '\0' .. id)
  end
  for_each_pair(id, digests, function(member)
    append(added.by_pair, 0, member)
  end)
end

-- A request that is new, with what it shares; and of one that shares a result what came of that by now, nil where it is not
-- followed.
local function record(request, task_id, status, shared, outcome)
  local request_id, machine_id, doc, _, _, _, not_after, source, callback, _, bytes, key, digests, retry_of = unpack(request)
  local fields = { 'status', status, 'task', task_id, unpack(shared) }
  for name, value in pairs({ batch = batch_id, notAfter = not_after, callback = callback }) do
    if value ~= '' then
      append(fields, name, value)
    end
  end
  add_caller(fields, caller)
  if caller ~= '' then
    bytes_added = bytes_added + bytes
  end
  if caller ~= '' and tonumber(bytes) ~= usual_bytes then
    append(fields, 'b', bytes)
  end
  add_doc(fields, doc)
  recorded[#recorded + 1] = { id = request_id, fields = fields, status = status, machine = machine_id, task = task_id,
    outcome = outcome, callback = callback ~= '' and callback or nil, retry_of = retry_of ~= '' and retry_of or nil }
  if status == 'queued' and not_after ~= '' then
    append(added.deadlines, not_after, request_id)
  end
  count('', status, 1)
  count_queued(caller, status, 1)
  -- Half a character cannot be read back: it must be counted as it is when the request leaves.
  count_source(string.find(doc, '\\ud', 1, true) and found_by(doc).source or source, status, 1)
  if batch_id ~= '' then
    count(batch_id, status, 1)
  end
  index_new(request_id, status, machine_id, source, digests, #shared > 0 or key ~= machine_id)
end

-- Of a request that was recorded before.
local function answer_for(request_id)
  local task_id, with, reused, investigation, action = unpack(
    redis.call('HMGET', space .. ':request:' .. request_id, 'task', 'with', 'reused', 'investigationId', 'actionId'))
  if reused then
    return { task_id, with, '0', 'reused', investigation or action }
  end
  local task = tasks[task_id] or {}
  local job_priority, promoted = task.job_priority and tostring(task.job_priority), task.promoted
  if not job_priority then
    job_priority, promoted = unpack(redis.call('HMGET', space .. ':task:' .. task_id, 'jobPriority', 'promoted'))
  end
  return { task_id, with or '', job_priority, promoted and 'promoted' or with and 'joined' or 'new', '' }
end

-- Whether a request may not be retried any more: it was, or it is gone.
local function is_retried(id)
  local status, by = unpack(redis.call('HMGET', space .. ':request:' .. id, 'status', 'retriedBy'))
  return not status or by
end

local function accept(request)
  local request_id, machine_id, _, new_task, priority, flow, not_after, _, _, is_forced, _, key = unpack(request)
  if is_any_known and redis.call('HEXISTS', space .. ':request:' .. request_id, 'task') == 1 then
    return answer_for(request_id)
  elseif is_sealed then
    return { '', '', '0', 'deleted', '' }
  end
  local retry_of = request[arguments]
  if is_once and retry_of ~= '' and is_retried(retry_of) then
    return { '', '', '0', 'retried', '' }
  end
  local task = open[key]
  local recent = not task and is_forced ~= '1' and recent_of(key)
  if recent then
    local shared = { 'with', recent.request, 'reused', 1 }
    append(shared, recent.action and 'actionId' or 'investigationId', recent.action or recent.investigation)
    if recent.attached then
      append(shared, 'attached', 1)
    end
    if recent.outcome and recent.outcome ~= 'running' then
      for _, part in ipairs(recent.fields) do
        shared[#shared + 1] = part
      end
    end
    record(request, recent.task, 'started', shared, recent.outcome)
    return { recent.task, recent.request, '0', 'reused', recent.action or recent.investigation }
  elseif not task then
    task = open_task(new_task, machine_id, key, request_id, priority, flow, not_after)
    task.forced = is_forced == '1' or nil
    record(request, new_task, 'queued', {})
    return { new_task, '', tostring(task.job_priority), 'new', '' }
  end
  local is_promoted = promote(task, priority, flow, arrived_at)
  task.promoted = task.promoted or is_promoted or nil
  if task.joined >= most_joined or (caller ~= '' and task.of_caller >= most_joined_of_caller) then
    return { is_promoted and task.id or '', '', tostring(is_promoted and task.job_priority or 0), 'full', '' }
  end
  task.forced = task.forced or is_forced == '1' or nil
  task.raised_by = task.is_raised and request_id or task.raised_by
  record(request, task.id, join(task, request_id, not_after, caller, arrived_at))
  return { task.id, task.first, tostring(task.job_priority), task.promoted and 'promoted' or 'joined', '' }
end

-- Why there is no room, nil where there is. What was recorded before is answered as it was, however full it is by now.
local function no_room()
  local requests, waiting, of_caller, reserved_bytes =
    backlog_now(counts_key, waiting_key, callers_key, space .. ':reservations', caller)
  local size, bytes = (#ARGV - first_argument + 1) / arguments, 0
  for i = first_argument + 10, #ARGV, arguments do
    bytes = bytes + ARGV[i]
  end
  local stored = most_bytes and stored_now(caller) + reserved_bytes
  if is_any_known then
    return nil
  elseif not fits_backlog(size, requests, waiting, of_caller, most_requests, most_tasks, most_of_caller) then
    return string.format('BACKLOG_FULL %d %d %d', requests, waiting, of_caller)
  elseif most_bytes and stored + bytes > most_bytes then
    return string.format('STORAGE_FULL %.0f', stored)
  end
end

-- A request shares a result that was started before: while that is followed, it gets its end as those that joined do.
local function share_result(request)
  local batch = batch_id ~= '' and batch_id or nil
  if request.outcome ~= 'running' then
    note_outcome(request.id, request.outcome, batch, request.callback)
    return
  end
  local reused_key = space .. ':task:' .. request.task .. ':reused'
  redis.call('ZADD', reused_key, arrived_at, request.id)
  redis.call('PEXPIRE', reused_key, retention)
  follow_result_of(request.id, batch)
end

local function write_added()
  local function write(command, key, list)
    if #list > 0 then
      redis.call(command, key, unpack(list))
    end
  end
  write_order(rules, arrived_at)
  for key, task in pairs(open) do
    write_task(key, task, caller, arrived_at)
    if task.is_new and placed_for > 0 then
      redis.call('SET', space .. ':machine:' .. key .. ':placed', 1, 'PX', placed_for)
    end
  end
  for _, request in ipairs(recorded) do
    redis.call('HSET', space .. ':request:' .. request.id, unpack(request.fields))
    if request.retry_of and redis.call('HEXISTS', space .. ':request:' .. request.retry_of, 'status') == 1 then
      redis.call('HSET', space .. ':request:' .. request.retry_of, 'retriedBy', request.id)
    end
  end
  write('ZADD', waiting_key, added.waiting)
  write('ZADD', space .. ':unresolved', added.unresolved)
  write('HSET', machines_key, added.machines)
  write('ZADD', deadlines_key, added.deadlines)
  write('ZADD', index_machine, added.by_machine)
  write('ZADD', index_source, added.by_source)
  write('ZADD', index_correlation, added.by_pair)
  for status, list in pairs(added.listed) do
    write('ZADD', index_listed .. status, list)
  end
  add_to(stored_key, caller, bytes_added)
  for _, request in ipairs(recorded) do
    if request.status == 'started' then
      change_status(request.id, 'started', 'started', request.machine, nil, request.callback)
      if request.outcome then
        share_result(request)
      end
    end
  end
  write_counts()
end

if is_dry_run then
  open = cjson.decode(open_before)
end
read_ahead()
local refusal = most_requests and no_room()
if refusal then
  return redis.error_reply(refusal)
end
if order_before ~= '' and order_before ~= 'none' then
  continue_order(rules, order_before)
elseif not open_order(rules, arrived_at) then
  return redis.error_reply('ORDER_SCALE the time of arrival is beyond the last priority of the queue')
end
local replies = {}
for i = first_argument, #ARGV, arguments do
  for _, part in ipairs(accept({ unpack(ARGV, i, i + arguments - 1) })) do
    replies[#replies + 1] = part
  end
end
if is_dry_run then
  append(replies, order_so_far(), cjson.encode(open))
else
  write_added()
end
return replies
