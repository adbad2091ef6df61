-- SPDX-License-Identifier: MIT
-- thinair in HAProxy. Loaded behind config.lua, which sets the global `config`:
--
--     lua-prepend-path /usr/local/share/thinair/haproxy/?.lua
--     lua-prepend-path /usr/local/lib/lua/5.3/?.so cpath
--     lua-load config.lua
--     lua-load acme.lua
--
-- It makes the service lua.acme (HTTP: challenges and orders), the action lua.acme_tls (TCP:
-- tls-alpn-01), and the tasks that do what the engine says. The engine is in thinair_core; how
-- HAProxy is configured around it, in README.md.

local core_engine = require("thinair_core")
local alpn = require("thinair_alpn")
local service = require("thinair_service")
local drive = require("thinair_drive")
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

if is_first then
    drive.start(handle, options)
end

core.register_service("acme", "http", service.http(handle, options))
core.register_action("acme_tls", {"tcp-req"}, alpn.action(handle))
