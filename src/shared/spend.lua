-- One provider's budget, spent by all replicas. Moments are milliseconds by the store's own clock.
-- KEYS: leases (a call under way, by when its lease ends), ended (calls by window and part), state.
-- ARGV: what to do, its six arguments, whether somebody chose the windows, and the windows: calls, milliseconds.
local PARTS = 64
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local leases, ended, state = KEYS[1], KEYS[2], KEYS[3]
local windows = {}
for i = 9, #ARGV, 2 do
  windows[#windows + 1] = { calls = tonumber(ARGV[i]), span = tonumber(ARGV[i + 1]) }
end

-- A part of a window is named by its end: what ended within it leaves the window a span after that.
local function add(calls, at)
  for _, window in ipairs(windows) do
    local grain = math.floor(window.span / PARTS)
    redis.call('HINCRBY', ended, window.span .. ':' .. math.ceil(at / grain), calls)
  end
end

local function number(field)
  return tonumber(redis.call('HGET', state, field)) or 0
end

local function kept(all, background)
  if background and all > 1 then return all - math.ceil(all / 10) end
  return all
end

-- A replica that died gives nothing back: its calls ended when their leases did.
for _, lease in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', now)) do
  add(1, tonumber(redis.call('ZSCORE', leases, lease)))
  redis.call('ZREM', leases, lease)
end

local function close(milliseconds)
  redis.call('HSET', state, 'closed', math.max(number('closed'), now + milliseconds))
end

local function hear(resets_at, resets_in, limit, remaining)
  redis.call('HSET', state, 'limit', limit)
  if resets_in <= 0 then return end
  local longest = 900000
  if #windows == 1 then longest = windows[1].span end
  resets_in = math.min(resets_in, longest)
  local known = number('reset') > now and number('resets_at') or 0
  if resets_at < known - 1 then return end
  if resets_at <= known + 1 then
    redis.call('HSET', state, 'remaining', math.min(number('remaining'), remaining))
  else
    redis.call('HSET', state, 'resets_at', resets_at, 'reset', now + resets_in + 50,
      'remaining', remaining, 'lost', 0)
  end
end

local function left()
  local flying = redis.call('ZCARD', leases)
  local by = {}
  local all = redis.call('HGETALL', ended)
  for i = 1, #all, 2 do
    local span, part = string.match(all[i], '^(%d+):(%d+)$')
    span, part = tonumber(span), tonumber(part)
    local leaves = part * math.floor(span / PARTS) + span
    if leaves <= now then
      redis.call('HDEL', ended, all[i])
    else
      by[span] = by[span] or {}
      table.insert(by[span], { leaves, tonumber(all[i + 1]) })
    end
  end
  return flying, by
end

local function take(lease, lives, background)
  local flying, by = left()
  local earliest, rests = math.max(now, number('closed')), {}
  for _, window in ipairs(windows) do
    local calls, limit = window.calls, number('limit')
    if #windows == 1 and limit > 0 then
      calls = ARGV[8] == '1' and math.min(calls, limit) or limit
    end
    local parts, used = by[window.span] or {}, flying
    for _, part in ipairs(parts) do used = used + part[2] end
    local excess = used + 1 - kept(calls, background)
    if excess > 0 then
      table.sort(parts, function(a, b) return a[1] < b[1] end)
      local free = now + window.span
      for _, part in ipairs(parts) do
        excess = excess - part[2]
        if excess <= 0 then free = part[1] break end
      end
      earliest = math.max(earliest, free)
    end
    rests[#rests + 1] = math.max(0, calls - used)
  end
  if number('reset') > now then
    local spare = number('limit') - kept(number('limit'), background)
    if number('remaining') - flying - number('lost') < 1 + spare then
      earliest = math.max(earliest, number('reset'))
    end
  end
  if earliest > now then return { 0, earliest - now } end
  redis.call('ZADD', leases, now + lives, lease)
  for place, rest in ipairs(rests) do rests[place] = math.max(0, rest - 1) end
  return { 1, unpack(rests) }
end

local function give(lease, lingers, closes, said)
  redis.call('ZREM', leases, lease)
  if closes > 0 then close(closes) end
  if lingers >= 0 then
    add(1, now + 1 + lingers)
    if said ~= '' then
      local at, within, limit, remaining = string.match(said, '^(%d+) (%d+) (%d+) (%d+)$')
      hear(tonumber(at), tonumber(within), tonumber(limit), tonumber(remaining))
    elseif number('reset') > now then
      redis.call('HINCRBY', state, 'lost', 1)
    end
  end
  return {}
end

-- What a replica spent while it was alone; all that it remembers, if the store forgot everything.
local function merge(replica, owed, remembered, closes)
  if redis.call('HSETNX', state, replica, 1) == 1 then
    for span, part_age, calls in string.gmatch(remembered, '(%d+):(%d+):(%d+)') do
      local at = math.max(0, now + tonumber(part_age) - tonumber(span)) + 1
      local grain = math.floor(tonumber(span) / PARTS)
      redis.call('HINCRBY', ended, span .. ':' .. math.ceil(at / grain), calls)
    end
  end
  if owed > 0 then add(owed, now + 1) end
  if closes > 0 then close(closes) end
  return {}
end

local answer
if ARGV[1] == 'take' then
  answer = take(ARGV[2], tonumber(ARGV[3]), ARGV[4] == '1')
elseif ARGV[1] == 'give' then
  answer = give(ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5])
else
  answer = merge(ARGV[2], tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5]))
end
-- Whatever nobody needs for longer than its longest window goes by itself.
local longest = 3600000
for _, window in ipairs(windows) do longest = math.max(longest, 2 * window.span) end
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, longest) end
return answer
