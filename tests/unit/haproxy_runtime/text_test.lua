-- SPDX-License-Identifier: MIT
-- Proves thinair_runtime_text.lua: what HAProxy 2.6 and 3.2 printed (data/, as they printed it)
-- read into values, dates against the interpreter's own calendar, and texts that are not what they
-- should be.

local harness = require("harness")
local text = require("thinair_runtime_text")
local same = harness.same

local tests = {}

local function data(name)
    local folder = arg[0]:match("^(.*)/[^/]*$")
    local file = assert(io.open(folder .. "/data/" .. name))
    local all = file:read("a")
    file:close()
    return all
end

local function list(values)
    return table.concat(values, "|")
end

function tests.reads_the_stores_and_the_transaction()
    for _, release in ipairs{"2.6", "3.2"} do
        local names, transaction = text.stores(data("show_all_" .. release .. ".txt"))
        same(list(names), "b.rsa|ed|ns|with|with space")
        same(transaction, "b.rsa")
    end
    local names, transaction = text.stores("\n")
    same(#names, 0)
    same(transaction, nil)
end

function tests.reads_certificates_as_both_print_them()
    for release, status in pairs{["2.6"] = "unused", ["3.2"] = "uncommitted"} do
        local all = text.certificates(data("show_each_" .. release .. ".txt"))
        same(#all, 5) -- one of six was gone
        local rsa, ed, bare, empty, open = table.unpack(all)
        same(rsa.store, "b.rsa")
        same(rsa.status, "used")
        same(rsa.serial, "02A82FB55379AEF79DE837DB55370689393EADD7")
        same(rsa.sha1, "F84FEE8233B9982F9DC15A98954C93A54017DEE6")
        same(list(rsa.names), "b.example|www.b.example")
        same(rsa.key_type, "RSA4096")
        same(rsa.not_before_s, 1795460998)
        same(rsa.not_after_s, 1803236998)
        same(rsa.subject, "/CN=b.example")
        same(rsa.issuer, "/CN=Test Root")
        same(list(rsa.chain), "/CN=Test Root")
        same(list(ed.names), "*.ed.example") -- addresses are printed as nothing
        same(ed.key_type, nil)
        same(ed.sha1, nil)
        same(#bare.names, 0)
        same(#bare.chain, 0)
        same(empty.status, "empty")
        same(empty.serial, nil)
        same(open.store, "b.rsa")
        same(open.status, status)
    end
end

function tests.reads_nothing_from_a_refusal()
    same(#text.certificates("Can't display the certificate: Not found!\n\n"), 0)
    same(#text.certificates(""), 0)
    same(#text.certificates("Serial: 1\nSubject: /CN=x\n"), 0)
end

function tests.reads_dates()
    same(text.time("Jan  1 00:00:00 1970 GMT"), 0)
    same(text.time("Feb 29 12:00:01 2000 GMT"), 951825601)
    same(text.time("Feb 28 23:59:59 2100 GMT"), 4107542399)
    same(text.time("Mar  1 00:00:00 2100 GMT"), 4107542400)
    same(text.time("Jan  1 00:00:00 10000 GMT"), 253402300800)
    local months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"}
    for day = 0, 40000, 13 do
        local date = os.date("!*t", day * 86400)
        local written = string.format("%s %2d 00:00:00 %d GMT", months[date.month], date.day,
            date.year)
        same(text.time(written), day * 86400)
    end
end

function tests.refuses_what_is_no_date()
    for _, written in ipairs{"", "Feb 21 2027", "Foo 21 19:09:54 2027 GMT",
                             "Feb 21 19:09:54 2027 CET", "Feb 21 19:09 2027 GMT"} do
        same(text.time(written), nil)
    end
end

function tests.reads_a_crt_list()
    local entries = text.crt_list("# /c/list\n/c/a.pem:1\n"
        .. "C:3 [alpn h2,http/1.1\0] a.example !no.a.example *.w.example\n"
        .. "C:14 [ssl-min-ver TLSv1.2  verify none] a.example\nC:15 *\n\n")
    same(#entries, 4)
    same(entries[1].store, "/c/a.pem")
    same(entries[1].line, 1)
    same(entries[1].options, "")
    same(#entries[1].names, 0)
    same(entries[2].options, "alpn h2,http/1.1")
    same(list(entries[2].names), "a.example|!no.a.example|*.w.example")
    same(entries[3].line, 14)
    same(entries[3].options, "ssl-min-ver TLSv1.2 verify none")
    same(list(entries[4].names), "*")
end

function tests.writes_a_line_as_it_reads_it()
    for _, line in ipairs{"/c/a.pem", "C [alpn h2] a.example !b.a.example", "C *.a.example"} do
        local store, rest = line:match("^(%S+)(.*)$")
        local entry = text.crt_list("# /l\n" .. store .. ":1" .. rest .. "\n")[1]
        same(text.crt_list_line(entry), line)
    end
    same(text.crt_list_line{store = "C", options = "  alpn  h2 ", names = {}}, "C [alpn h2]")
end

function tests.a_payload_has_no_empty_line()
    same(text.payload("\n\na\r\n\r\n \t\nb\n\n\nc"), "a\nb\nc")
    same(text.payload("\n\n"), "")
end

function tests.takes_pem_apart()
    local certificates, keys = text.pem_blocks("text\n-----BEGIN CERTIFICATE-----\nAA\n"
        .. "-----END CERTIFICATE-----\n-----BEGIN EC PARAMETERS-----\nBB\n"
        .. "-----END EC PARAMETERS-----\n-----BEGIN EC PRIVATE KEY-----\nCC\n"
        .. "-----END EC PRIVATE KEY-----\n-----BEGIN CERTIFICATE-----\nDD\n"
        .. "-----END CERTIFICATE-----")
    same(#certificates, 2)
    same(certificates[2], "-----BEGIN CERTIFICATE-----\nDD\n-----END CERTIFICATE-----\n")
    same(#keys, 1)
    certificates, keys = text.pem_blocks("-----BEGIN CERTIFICATE-----\nAA\n-----END OTHER-----\n")
    same(#certificates + #keys, 0)
end

-- The first line of a certificate, made by openssl, whose serial number is below.
local REAL = "-----BEGIN CERTIFICATE-----\n"
    .. "MIIBXDCCAQGgAwIBAgICAIEwCgYIKoZIzj0EAwIwDDEKMAgGA1UEAwwBeDAeFw0y\n"

function tests.reads_a_serial_number()
    same(text.serial(REAL), "81")
    same(text.serial(REAL:gsub("\n", "\r\n")), "81")
    same(text.serial("-----BEGIN CERTIFICATE-----\nMAqgAwIBAgIDAQID\n"), nil)
    for size = 0, 40 do
        local serial = text.serial(REAL:sub(1, 28 + size))
        same(serial == nil or serial == "81", true)
    end
    for _, broken in ipairs{"", "x", "-----BEGIN CERTIFICATE-----\n", (REAL:gsub("MII", "ZZZ")),
                            (REAL:gsub("MII", "MYU")), (REAL:gsub("AgIC", "AgMC")),
                            (REAL:gsub("AgIC", "AgI/"))} do
        same(text.serial(broken), nil)
    end
    same(text.same_serial("81", "0081"), true)
    same(text.same_serial("81", "8100"), false)
    same(text.same_serial("81", nil), false)
end

function tests.quotes_what_ends_a_word()
    same(text.quoted("/c/a.pem"), "/c/a.pem")
    same(text.quoted("a b;c\\"), "a\\ b\\;c\\\\")
end

function tests.reads_the_buffer_size()
    same(text.buffer_size("x\n  - Pool buffer (16384 bytes) : 2 allocated\n"), 16384)
    same(text.buffer_size("  - Pool trash (16416 bytes) : 1 allocated\n"), nil)
end

function tests.says_a_refusal_on_one_line()
    same(text.last_words(" Can't!\n\n  Locked!\n\n"), "Can't! Locked!")
    same(text.last_words("\n"), "HAProxy closed the connection without an answer")
end

harness.run(tests)
