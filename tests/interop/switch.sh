#!/bin/bash
# SPDX-License-Identifier: MIT
# Proven here: a daemon that is told by a reload to get its certificate from a second CA serves the
# first one's until the second one's is there, within seconds, for both key types, and back again;
# a CA that cannot be reached takes nothing away. Not one of the connections that a client opens all
# the while fails, TLS 1.2 and 1.3: staging first, then the real CA.
. "$(dirname "$0")/program.sh"
second_pid=
client_pid=
leave_switch() {
    local status=$?
    end_process "$client_pid"
    if [ -n "$second_pid" ]; then
        kill "$second_pid" 2>/dev/null # acts once what it waits for has ended
        kill "$(cat "$place/second.pid")" 2>/dev/null
        wait "$second_pid" 2>/dev/null
    fi
    (exit "$status")
    leave
}
begin
trap leave_switch EXIT
start_page

# The second CA: a Pebble of its own, which ends with the sleep.
# shellcheck disable=SC2016
"$(dirname "$0")/pebble.sh" sh -c 'env | grep ^PEBBLE_ >"$1.new" && mv "$1.new" "$1" &&
    echo $$ >"$2" && exec sleep 300' - "$place/second.env" "$place/second.pid" \
    >"$place/second.log" 2>&1 &
second_pid=$!
wait_for test -s "$place/second.pid"
second() {
    sed -n "s/^PEBBLE_$1=//p" "$place/second.env"
}

# write_config DIRECTORY CA-FILE: the two CAs validate on ports of their own.
write_config() {
    cat >"$place/thinair.yaml" <<END
state: $place/state
listen: ['127.0.0.1:$PEBBLE_TLS_PORT', '127.0.0.1:$(second TLS_PORT)']
http: ['127.0.0.1:$PEBBLE_HTTP_PORT', '127.0.0.1:$(second HTTP_PORT)']
ca: $1
ca-file: $2
agree-terms: true
certificates:
  - name: a.example
    keys: [ecdsa-p256, rsa-2048]
    to: 127.0.0.1:$page_port
END
}

# served_by ROOT: both key types are of that CA.
served_by() {
    local algorithms
    for algorithms in ECDSA+SHA256 RSA-PSS+SHA256; do
        openssl s_client -connect "127.0.0.1:$PEBBLE_TLS_PORT" -servername a.example \
            -CAfile "$1" -verify_return_error -sigalgs "$algorithms" </dev/null || return 1
    done
}

# A client that opens connection after connection, believing both CAs, until it is told to end.
start_client() {
    python3 - "$PEBBLE_TLS_PORT" "$place/both.pem" >"$place/client.txt" 2>&1 <<'END' &
import signal, socket, ssl, sys
port, roots = int(sys.argv[1]), sys.argv[2]
count, failures, stopped = 0, [], []
signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
while not stopped:
    count += 1
    context = ssl.create_default_context(cafile=roots)
    context.options |= ssl.OP_NO_TICKET
    if count % 2:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("aRSA" if count % 4 == 1 else "aECDSA")
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
            with context.wrap_socket(plain, server_hostname="a.example") as tls:
                tls.sendall(b"GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n")
                answer = b""
                while chunk := tls.recv(65536):
                    answer += chunk
                if not answer.startswith(b"HTTP/1.1 200") or b"page" not in answer:
                    failures.append(repr(answer[:60]))
    except OSError as error:
        failures.append(str(error))
print(f"{count} connections, {len(failures)} failed", *failures[:5], sep="\n")
sys.exit(1 if failures else 0)
END
    client_pid=$!
}

# change_to DIRECTORY CA-FILE ROOT: by reload, while the client goes on.
change_to() {
    local started=$SECONDS
    write_config "$1" "$2"
    expect 0 "reloaded" "$thinair" reload --state "$place/state"
    wait_for served_by "$3"
    echo "changed in $((SECONDS - started)) s" >>"$place/changes.txt"
}

cat "$PEBBLE_ROOT" "$(second ROOT)" >"$place/both.pem"
write_config "$PEBBLE_URL" "$PEBBLE_CA"
start_daemon --config "$place/thinair.yaml"
wait_for served_by "$PEBBLE_ROOT"
start_client

# A CA that is not there: the old certificate is served on.
write_config "https://localhost:$(pebble_free_port)/dir" "$PEBBLE_CA"
expect 0 "reloaded" "$thinair" reload --state "$place/state"
wait_for grep -q "warning.*https://localhost\|attempt-failed" "$place/daemon.log"
served_by "$PEBBLE_ROOT" >"$place/visit.log" 2>&1 || fail "a CA that is away takes the certificate"

change_to "$(second URL)" "$(second CA)" "$(second ROOT)"
change_to "$PEBBLE_URL" "$PEBBLE_CA" "$PEBBLE_ROOT"
status=0
kill "$client_pid"
wait "$client_pid" || status=$?
client_pid=
[ "$status" -eq 0 ] || fail "$(cat "$place/client.txt")"
stop_daemon
echo "passed: $(cat "$place/client.txt"); $(tr '\n' ' ' <"$place/changes.txt")"
