# SPDX-License-Identifier: MIT
#
# What the program_*.sh tests share: a Pebble, a folder, and ways to start, ask and stop a thinair.
# They are called with the program's path, end within seconds, and leave nothing behind.

set -u
thinair=$1
place=
daemon_pid=
page_pid=
. "$(dirname "$0")/pebble.sh"

# The daemon gives up what the leak checker of a sanitized build needs once it is another user.
export ASAN_OPTIONS="${ASAN_OPTIONS:-}"

# begin: the Pebble and the folder.
begin() {
    place=$(mktemp -d "${TMPDIR:-/tmp}/thinair-test.XXXXXX") || exit 1
    trap leave EXIT
    pebble_start || exit 1
    trap leave EXIT
    common=(--ca "$PEBBLE_URL" --ca-file "$PEBBLE_CA" --state "$place/state"
        --http "127.0.0.1:$PEBBLE_HTTP_PORT")
}

# end_process PID: ask it to end, and wait until it has.
end_process() {
    [ -n "$1" ] || return 0
    kill "$1" 2>/dev/null
    wait "$1" 2>/dev/null
}

leave() {
    local status=$?
    trap - EXIT
    if [ "$status" -ne 0 ] && [ -n "$place" ]; then
        tail -n 40 "$place"/*.log 2>/dev/null
    fi
    end_process "$daemon_pid"
    end_process "$page_pid"
    pebble_stop
    [ -z "$place" ] || rm -rf -- "$place"
    exit "$status"
}

fail() {
    echo "FAILED: $*"
    exit 1
}

# expect STATUS TEXT COMMAND...: the command ends with that status and says that text somewhere.
expect() {
    local wanted=$1 text=$2 status=0
    shift 2
    timeout 60 "$@" >"$place/out.log" 2>&1 || status=$?
    [ "$status" -eq "$wanted" ] || fail "status $status instead of $wanted: $*"
    grep -qF -- "$text" "$place/out.log" || fail "does not say \"$text\": $*"
    ! grep -q "Sanitizer\|runtime error" "$place/out.log" || fail "a sanitizer complains: $*"
}

# wait_for COMMAND...: until it succeeds, at most 30 seconds.
wait_for() {
    local deadline=$((SECONDS + 30))
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$deadline" ] || fail "in vain: $*"
        [ -z "$daemon_pid" ] || kill -0 "$daemon_pid" 2>/dev/null || fail "the daemon has ended"
        sleep 0.05
    done
}

# start_page: a web page on plain HTTP at 127.0.0.1:$page_port, connections kept alive.
start_page() {
    python3 - "$place/page.port" >"$place/page.log" 2>&1 <<'END' &
import http.server, sys
class Page(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"page\n")
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
open(sys.argv[1], "w").write(str(server.server_port))
server.serve_forever()
END
    page_pid=$!
    wait_for test -s "$place/page.port"
    page_port=$(cat "$place/page.port")
}

# start_daemon FLAGS...
start_daemon() {
    "$thinair" run "$@" >"$place/daemon.log" 2>&1 &
    daemon_pid=$!
}

# stop_daemon: it must end by itself, with status 0 and without a complaint of a sanitizer.
stop_daemon() {
    local status=0
    kill "$daemon_pid"
    wait "$daemon_pid" || status=$?
    daemon_pid=
    [ "$status" -eq 0 ] || fail "the daemon ended with status $status"
    ! grep -q "Sanitizer\|runtime error" "$place/daemon.log" || fail "a sanitizer complains"
}

# fetch NAME [ROOT]: the page, over verified HTTPS.
fetch() {
    curl -sS --fail --noproxy '*' --max-time 10 --cacert "${2:-$PEBBLE_ROOT}" \
        --resolve "$1:$PEBBLE_TLS_PORT:127.0.0.1" "https://$1:$PEBBLE_TLS_PORT/"
}

# serial NAME: of the certificate that is served.
serial() {
    openssl s_client -connect "127.0.0.1:$PEBBLE_TLS_PORT" -servername "$1" </dev/null \
        2>/dev/null | openssl x509 -noout -serial
}

requests_count() {
    grep -c 'calling handler' "$PEBBLE_LOG"
}
