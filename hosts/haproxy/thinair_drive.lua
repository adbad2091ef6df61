-- SPDX-License-Identifier: MIT
-- The task that does what the engine says, in turns; requests to the CA and deployments have tasks
-- of their own. One Lua state of many drives.
--
-- An error that Lua raises (memory may be short: tune.lua.maxmem) ends none of it: it is logged
-- once, and after a pause it goes on. What was handed out and lost by it is told to the engine as
-- failed: by the core when nobody said that it was taken, else by the task that had it.

local deploy = require("thinair_deploy")
local exchange = require("thinair_exchange")

local drive = {}

local LEVELS = {debug = core.debug, info = core.info, warning = core.warning, alarm = core.alert}

-- How long nothing is looked at when there is nothing to do, while an answer is awaited, and after
-- an error; how often it is looked for certificates that are not served yet.
local IDLE_MS, AWAITING_MS, ERROR_MS, RETRY_MS = 100, 5, 1000, 1000
-- The same error is not said again for that time.
local SILENCE_S = 600

local handle, options
local awaited, has_left = 0, false
local said, said_at = nil, 0

-- Work for tasks. HAProxy 2.6 never lets go of a task's function, nor of what that refers to: so
-- all tasks have the same one, and each takes the next piece.
local waiting = {}

local function say(why)
    local text, now = tostring(why), os.time()
    if text ~= said or now - said_at >= SILENCE_S then
        said, said_at = text, now
        core.log(core.alert, "thinair: an error in Lua, it goes on: " .. text)
    end
end

-- Raises nothing.
local function complain(why)
    pcall(say, why)
    pcall(core.msleep, ERROR_MS)
end

-- Certificates of clients' orders are nobody's to serve here.
local function tell(event)
    local about, name, text = event.certificate, event.event, event.text
    if event.is_managed and name == "installed" and options.state then
        if not options.stats_socket then
            text = "it is served from the next reload on: config.lua has no stats_socket"
            name = "stored"
        elseif deploy.is_unserved(options, about, event.key_type) then
            text = "it is on disk, but not served yet"
            name = "stored"
        end
    end
    about = about ~= "" and about or "the CA"
    if event.key_type ~= "none" and event.key_type ~= "" then
        about = about .. " (" .. event.key_type .. ")"
    end
    core.log(LEVELS[event.level], "thinair: " .. about .. ": " .. name .. ": " .. text)
end

-- Does this process still take connections? A worker that was reloaded lets the next one work.
local function is_leaving()
    local info = core.get_info()
    return tonumber(info.Stopping or info.stopping or 0) == 1
end

local function work()
    local piece = table.remove(waiting, 1)
    local done, why = pcall(piece.carry_out, handle, options, piece.what)
    while not done do
        complain(why)
        local is_called, is_told = pcall(handle.failed, handle, piece.what.id, "network",
            "lost by an error in Lua")
        done, why = is_called and is_told, is_told
    end
    awaited = awaited - 1
end

local function start(carry_out, what)
    local place = #waiting + 1
    waiting[place] = {carry_out = carry_out, what = what}
    local done, why = pcall(core.register_task, work)
    if not done then
        waiting[place] = nil
        error(why, 0)
    end
    awaited = awaited + 1
    handle:taken()
end

-- One turn; true: there will be nothing to do any more.
local function step()
    has_left = is_leaving() and handle:leave()
    local kind, what = handle:turn()
    if kind == "idle" then
        if has_left and awaited == 0 then
            return true
        end
        core.msleep(math.min(what, awaited > 0 and AWAITING_MS or IDLE_MS))
    elseif kind == "rest" then
        core.msleep(what)
    elseif kind == "http" then
        start(exchange.carry_out, what)
    elseif kind == "install" then
        start(deploy.carry_out, what)
    else
        if kind == "event" then
            tell(what)
        end
        core.yield()
    end
    return false
end

local function run()
    local may_work, complaint = handle:check()
    if not may_work then
        core.log(core.alert, "thinair: " .. complaint)
    end
    local is_over = false
    while not is_over do
        local done, answer = pcall(step)
        if done then
            is_over = answer
        else
            complain(answer)
        end
    end
end

-- The process that comes after this one finds on disk what this one could not deploy.
local function keep()
    while not has_left do
        local done, why = pcall(deploy.retry, handle, options)
        if not done then
            complain(why)
        end
        core.msleep(RETRY_MS)
    end
end

-- Called while the configuration is loaded, once.
function drive.start(a_handle, some_options)
    handle, options = a_handle, some_options
    core.register_task(run)
    if options.stats_socket then
        core.register_task(keep)
    end
end

return drive
