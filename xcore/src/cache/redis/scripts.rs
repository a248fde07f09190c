//! What takes several steps on the server and must be one. Each script names all its keys, and has one, so it fits a cluster.

use deadpool_redis::redis::{Cmd, cmd};

/// Stores when the key holds what is expected. Arguments: expected, value, milliseconds to live (empty: no end, 0: over).
pub(super) const SWAP: &str = "\
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[3] == '' then redis.call('SET', KEYS[1], ARGV[2])
elseif ARGV[3] == '0' then redis.call('UNLINK', KEYS[1])
else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return 1";

/// Notes a key in the set of a tag. Arguments: name, milliseconds to live (empty: no end). Names that are over leave the set, and the
/// set leaves with the last of them.
pub(super) const TAG: &str = "\
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - 1000))
local left = redis.call('PTTL', KEYS[1])
if ARGV[2] == '' then
  redis.call('ZADD', KEYS[1], '+inf', ARGV[1])
  redis.call('PERSIST', KEYS[1])
else
  local ttl = tonumber(ARGV[2])
  redis.call('ZADD', KEYS[1], string.format('%.0f', now + ttl), ARGV[1])
  if left ~= -1 and left < ttl + 1000 then redis.call('PEXPIRE', KEYS[1], string.format('%.0f', ttl + 1000)) end
end
return 1";

/// Takes a lock. Arguments: owner, milliseconds. Gives `{1, fence}`, or `{0, milliseconds left}`.
///
/// The last fence outlives the lock by a day. A lock that nobody took for longer begins at the clock, which is larger.
pub(super) const ACQUIRE: &str = "\
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local held = redis.call('HMGET', KEYS[1], 'owner', 'until', 'fence')
if held[1] and tonumber(held[2]) > now then return {0, math.ceil((tonumber(held[2]) - now) / 1000)} end
local fence = math.max((tonumber(held[3]) or 0) + 1, now)
local ttl = tonumber(ARGV[2])
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'until', string.format('%.0f', now + ttl * 1000), 'fence', string.format('%.0f', fence))
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', ttl + 86400000))
return {1, fence}";

/// Moves the end of a lock, or with 0 milliseconds gives it back. Arguments: owner, milliseconds.
pub(super) const EXTEND: &str = "\
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local held = redis.call('HMGET', KEYS[1], 'owner', 'until')
if held[1] ~= ARGV[1] or tonumber(held[2]) <= now then return 0 end
local ttl = tonumber(ARGV[2])
if ttl == 0 then
  redis.call('HDEL', KEYS[1], 'owner', 'until')
  redis.call('PEXPIRE', KEYS[1], 86400000)
else
  redis.call('HSET', KEYS[1], 'until', string.format('%.0f', now + ttl * 1000))
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', ttl + 86400000))
end
return 1";

/// Counts in a sliding window, as `Window::count` does. Arguments: length in milliseconds, limit, cost. Gives
/// `{allowed, now, start, current, before}`.
pub(super) const COUNT: &str = "\
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local length, limit, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local start, current, before = now - now % length, 0, 0
local stored = redis.call('GET', KEYS[1])
if stored then
  local s, c, b = string.match(stored, '^%[(%d+),(%d+),(%d+)%]$')
  if not s then return redis.error_reply('NOTAWINDOW the key holds something else') end
  s = tonumber(s)
  if s == start then current, before = tonumber(c), tonumber(b)
  elseif s + length == start then before = tonumber(c) end
end
local used = math.ceil(before * (length - (now - start)) / length) + current
local allowed = used + cost <= limit
if allowed then
  current = current + cost
  redis.call('SET', KEYS[1], string.format('[%.0f,%.0f,%.0f]', start, current, before), 'PX', string.format('%.0f', length * 2))
end
return {allowed and 1 or 0, now, start, current, before}";

/// A command that runs a script on a key. The server keeps what it compiled of a text it has seen.
pub(super) fn run(script: &str, key: &str) -> Cmd {
    let mut command = cmd("EVAL");
    command.arg(script).arg(1).arg(key);
    command
}
