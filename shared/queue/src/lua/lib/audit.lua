-- include now.lua
--
-- The log of who did what to queue and requests. The scripts that act for a caller write it, so that nothing is done
-- without its entry, and there is no entry of what was not done.
--
-- KEYS  the stream's name is passed by the script       (audit, see store-keys.ts)
--
-- audit(key, entry, kept_ms)  adds the entry, a JSON text; '' adds none. Entries older than `kept_ms` go, by whole nodes
-- of the stream, which costs next to nothing; readers leave out what is too old and still there.
local function audit(key, entry, kept_ms)
  if entry == '' then
    return
  end
  local oldest = now - tonumber(kept_ms)
  redis.call('XADD', key, 'MINID', '~', string.format('%.0f', math.max(0, oldest)), '*', 'entry', entry)
end
