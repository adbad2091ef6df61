-- SPDX-License-Identifier: MIT
-- thinair in HAProxy. Loaded behind config.lua, which sets the global `config`:
--
--     lua-prepend-path /usr/local/share/thinair/haproxy/?.lua
--     lua-prepend-path /usr/local/lib/lua/5.3/?.so cpath
--     lua-load config.lua
--     lua-load acme.lua
--
-- It makes the service lua.acme (HTTP: challenges and orders), the action lua.acme_tls (TCP:
-- tls-alpn-01), and one task that does what the engine says. The engine is in thinair_core; how
-- HAProxy is configured around it, in README.md.

local core_engine = require("thinair_core")
local exchange = require("thinair_exchange")
local alpn = require("thinair_alpn")
local service = require("thinair_service")
local deploy = require("thinair_deploy")
local settings = require("thinair_settings")

local options, why = settings.read(config)
if not options then
    error("config.lua: " .. why, 0)
end

local handle, is_first = core_engine.start(options.engine)
if not handle then
    error("thinair: " .. is_first, 0)
end

for _, certificate in ipairs(is_first and options.certificates or {}) do
    local managed
    managed, why = handle:manage(certificate.names, certificate.keys, certificate.must_staple)
    if not managed then
        error("config.lua: certificates: " .. why, 0)
    end
end

if is_first then
    local ready
    ready, why = handle:ready()
    if not ready then
        error("thinair: " .. why, 0)
    end
end

local LEVELS = {debug = core.debug, info = core.info, warning = core.warning, alarm = core.alert}

local function tell(event)
    local about = event.certificate ~= "" and event.certificate or "the CA"
    if event.key_type ~= "none" and event.key_type ~= "" then
        about = about .. " (" .. event.key_type .. ")"
    end
    core.log(LEVELS[event.level], "thinair: " .. about .. ": " .. event.event .. ": " .. event.text)
end

-- Does this process still take connections? A worker that was reloaded lets the next one work.
local function is_leaving()
    local info = core.get_info()
    return tonumber(info.Stopping or info.stopping or 0) == 1
end

-- How long nothing is looked at when there is nothing to do, and while an answer is awaited.
local IDLE_MS, AWAITING_MS = 100, 5
local awaited = 0

-- Work for tasks. HAProxy 2.6 never lets go of a task's function, nor of what that refers to: so
-- all tasks have this one, and each takes the next piece.
local waiting = {}

local function work()
    local piece = table.remove(waiting, 1)
    piece.carry_out(handle, options, piece.what)
    awaited = awaited - 1
end

local function start(carry_out, what)
    awaited = awaited + 1
    waiting[#waiting + 1] = {carry_out = carry_out, what = what}
    core.register_task(work)
end

-- One state of many drives; requests to the CA and deployments have tasks of their own.
local function drive()
    local is_over = false
    local may_work, complaint = handle:check()
    if not may_work then
        core.log(core.alert, "thinair: " .. complaint)
    end
    while not is_over do
        local has_left = is_leaving() and handle:leave()
        local kind, what = handle:turn()
        if kind == "idle" then
            is_over = has_left and awaited == 0
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
    end
end

if is_first then
    core.register_task(drive)
end

core.register_service("acme", "http", service.http(handle, options))
core.register_action("acme_tls", {"tcp-req"}, alpn.action(handle))
