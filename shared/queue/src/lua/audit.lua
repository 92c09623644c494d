-- The record of who did what to queue and requests; it stands in front of the scripts that act for a caller, so that
-- nothing is done without its entry and no entry tells of what was not done.
--
-- KEYS  the stream's name is passed by the script       (audit, see store-keys.ts)
--
-- audit(key, entry, kept_ms)  adds the entry, a JSON text; '' adds none. Entries older than `kept_ms` go, by whole nodes
-- of the stream, which costs next to nothing; readers leave out what is too old and still there.
local function audit(key, entry, kept_ms)
  if entry == '' then
    return
  end
  local oldest = redis.call('TIME')[1] * 1000 - tonumber(kept_ms)
  redis.call('XADD', key, 'MINID', '~', string.format('%.0f', math.max(0, oldest)), '*', 'entry', entry)
end
