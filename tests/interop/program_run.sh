#!/bin/bash
# SPDX-License-Identifier: MIT
# Proven here: `thinair run` starts without a certificate, gets one and serves a page with it; a
# reload adds and removes a name while a connection that is open goes on; a faulty file changes
# nothing; http is redirected; a restart serves at once what is stored while the CA is gone; SIGTERM
# ends it with status 0. As root, all of it as another user.
. "$(dirname "$0")/program.sh"
begin
start_page

user=
if [ "$(id -u)" -eq 0 ]; then
    user="user: nobody"
    chmod 755 "$place" "$PEBBLE_DIR"
    chmod 644 "$PEBBLE_CA"
    ASAN_OPTIONS="$ASAN_OPTIONS:detect_leaks=0"
fi
write_config() {
    cat >"$place/thinair.yaml" <<END
state: $place/state
$user
listen: 127.0.0.1:$PEBBLE_TLS_PORT
http: 127.0.0.1:$PEBBLE_HTTP_PORT
ca: $PEBBLE_URL
ca-file: $PEBBLE_CA
agree-terms: true
certificates:
END
    for name in "$@"; do
        printf -- '  - name: %s\n    to: 127.0.0.1:%s\n' "$name" "$page_port"
    done >>"$place/thinair.yaml"
    chmod 644 "$place/thinair.yaml"
}

write_config a.example b.example
start_daemon --config "$place/thinair.yaml"
wait_for fetch a.example
wait_for fetch b.example
[ "$(fetch a.example)" = page ] || fail "not the page"
[ -z "$user" ] || [ "$(stat -c %U "/proc/$daemon_pid/status")" = root ] ||
    fail "readable by its user"
[ -z "$user" ] || grep -q "^Uid:.*$(id -u nobody).*$(id -u nobody)" "/proc/$daemon_pid/status" ||
    fail "still root"
grep -q "^NoNewPrivs:.*1" "/proc/$daemon_pid/status" || fail "may gain privileges"

# A connection that outlives two reloads, in the background: it asks whenever a line comes.
mkfifo "$place/ask" "$place/told"
python3 - "$PEBBLE_TLS_PORT" "$PEBBLE_ROOT" "$place/ask" "$place/told" >"$place/client.log" 2>&1 \
    <<'END' &
import http.client, socket, ssl, sys
port, root, ask, told = sys.argv[1:]
context = ssl.create_default_context(cafile=root)
link = http.client.HTTPSConnection("a.example", int(port), context=context, timeout=20)
link.sock = context.wrap_socket(socket.create_connection(("127.0.0.1", int(port))),
                                server_hostname="a.example")
link.auto_open = False
with open(ask) as asks, open(told, "w", buffering=1) as tells:
    for line in asks:
        link.request("GET", "/")
        tells.write(link.getresponse().read().decode())
END
client_pid=$!
exec 8>"$place/ask" 9<"$place/told"
ask() {
    local line=
    echo >&8
    read -r -t 20 line <&9
    [ "$line" = page ] || fail "the connection that was open did not survive"
}
ask

write_config a.example c.example
expect 0 "reloaded" "$thinair" reload --state "$place/state"
ask
wait_for fetch c.example
fetch a.example >/dev/null || fail "the name that stays is not served"
! fetch b.example >/dev/null 2>&1 || fail "the name that went is still served"
expect 0 "c.example" "$thinair" list --state "$place/state"
! grep -q "b.example" "$place/out.log" || fail "the name that went is still listed"
curl -s --noproxy '*' -o /dev/null -w '%{http_code} %{redirect_url}' -H 'Host: c.example' \
    "http://127.0.0.1:$PEBBLE_HTTP_PORT/x?y" >"$place/redirect.log"
grep -q "^301 https://c.example:$PEBBLE_TLS_PORT/x?y" "$place/redirect.log" ||
    fail "no redirect"
[ "$(curl -s --noproxy '*' -o /dev/null -w '%{http_code}' -H 'Host: b.example' \
    "http://127.0.0.1:$PEBBLE_HTTP_PORT/")" = 404 ] || fail "a redirect for a name that went"

# Faulty files: by command and by signal, nothing changes.
echo "lisen: nowhere" >>"$place/thinair.yaml"
expect 1 "thinair.yaml:" "$thinair" reload --state "$place/state"
grep -q "unknown key lisen; did you mean listen?" "$place/out.log" || fail "no hint"
kill -HUP "$daemon_pid"
wait_for grep -q "reload: nothing changed: .*lisen" "$place/daemon.log"
ask
fetch c.example >/dev/null || fail "a faulty file stopped a name"

# A renewal by command: another serial, the same connection.
before=$(serial a.example)
expect 0 "the daemon renews now" "$thinair" renew a.example --state "$place/state"
is_renewed() {
    [ "$(serial a.example)" != "$before" ]
}
wait_for is_renewed
ask
exec 8>&- 9<&-
wait "$client_pid" || fail "the client failed"

# A second daemon does not take the first one's place.
expect 1 "another program has the port" "$thinair" run --name x.example --to 127.0.0.1:1 \
    "${common[@]}" --listen "127.0.0.1:$PEBBLE_TLS_PORT" --agree-terms
stop_daemon
[ ! -e "$place/state/admin.sock" ] || fail "the admin socket is left"

# The CA is gone: what is stored is served at once.
write_config a.example c.example
end_process "$PEBBLE_PID"
PEBBLE_PID=
start_daemon --config "$place/thinair.yaml"
wait_for fetch a.example
fetch c.example >/dev/null || fail "not served without the CA"
stop_daemon
echo "passed"
