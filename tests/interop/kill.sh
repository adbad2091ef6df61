#!/bin/bash
# SPDX-License-Identifier: MIT
# Proven here: `thinair run` and `thinair issue`, killed with SIGKILL at twenty points spread over
# the issuance of two key types and started again, come to two certificates that are served (or
# stored) and verified, on the order URLs that were stored before. No generation has two finalized
# orders. The one gap, between sending a new order and storing its URL, may leave an unfinalized
# order: these are counted, and at the moment of the kill no record named them. (A CA that validates
# while nobody answers makes the order invalid, which no client can mend: a gate lets validations
# wait.)
export PEBBLE_WFE_NONCEREJECT=0 PEBBLE_AUTHZREUSE=0
. "$(dirname "$0")/program.sh"
gate_pid=
leave_gate() {
    local status=$?
    end_process "$gate_pid"
    (exit "$status")
    leave
}
begin
trap leave_gate EXIT
start_page
http_port=$(pebble_free_port)
touch "$place/open"
python3 "$(dirname "$0")/gate.py" "$place/open" "$place/gate.ready" \
    "$PEBBLE_HTTP_PORT:$http_port" >"$place/gate.log" 2>&1 &
gate_pid=$!
wait_for test -e "$place/gate.ready"
points=20
# The least that two key types take: directory, nonce, account, and for each newOrder,
# authorization, challenge, order, finalize, order, certificate.
requests=17
gaps=0

# added, issued: the orders that Pebble made, and issued certificates for, since mark.
mark() {
    mark_lines=$(wc -l <"$PEBBLE_LOG")
}
since_mark() {
    tail -n "+$((mark_lines + 1))" "$PEBBLE_LOG"
}
added() {
    since_mark | sed -n 's/.*Added order "\([^"]*\)".*/\1/p'
}
issued() {
    since_mark | sed -n 's/.*Issued certificate serial .* for order \(.*\)$/\1/p'
}

# wish NAME: flags of both commands, a state directory of its own.
wish() {
    flags=(--name "$1" --key "ecdsa-p256,rsa-2048" --agree-terms --challenge http-01
        --ca "$PEBBLE_URL" --ca-file "$PEBBLE_CA" --state "$place/$1" --http "127.0.0.1:$http_port")
}

# command_of POINT: every fourth is `issue`.
command_of() {
    if [ $(($1 % 4)) -eq 3 ]; then
        echo issue
    else
        echo run
    fi
}

# arguments COMMAND: what thinair is called with.
arguments() {
    arguments=("$1" "${flags[@]}")
    if [ "$1" = run ]; then
        arguments+=(--to "127.0.0.1:$page_port" --listen "127.0.0.1:$PEBBLE_TLS_PORT")
    fi
}

start() {
    arguments "$1"
    "$thinair" "${arguments[@]}" >"$place/daemon.log" 2>&1 &
    daemon_pid=$!
}

# start_and_kill COMMAND COUNT DELAY_MS: SIGKILL so long after so many requests since mark. Fails
# when the process had ended before.
start_and_kill() {
    arguments "$1"
    python3 - "$PEBBLE_LOG" "$mark_lines" "$2" "$3" "$thinair" "${arguments[@]}" \
        >"$place/killed.log" 2>&1 <<'END'
import subprocess, sys, time
path, lines, count, delay_ms = sys.argv[1], *map(int, sys.argv[2:5])
with open(path) as log:
    for _ in range(lines):
        log.readline()
    victim = subprocess.Popen(sys.argv[5:])
    deadline = time.monotonic() + 60
    seen, rest = 0, ""
    while seen < count and victim.poll() is None and time.monotonic() < deadline:
        whole, _, rest = (rest + log.read()).rpartition("\n")
        seen += whole.count("calling handler")
        time.sleep(0.001)
time.sleep(delay_ms / 1000)
victim.kill()
sys.exit(0 if victim.wait() == -9 and seen >= count else 1)
END
}

visit() {
    timeout 20 openssl s_client -connect "127.0.0.1:$PEBBLE_TLS_PORT" -servername "$1" \
        -CAfile "$PEBBLE_ROOT" -verify_return_error -verify_hostname "$1" -sigalgs "$2" \
        </dev/null
}

# wait_long_for COMMAND...: an order that was lost in the gap is placed again after a minute.
wait_long_for() {
    local deadline=$((SECONDS + 100))
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$deadline" ] || fail "in vain: $*"
        sleep 0.1
    done
}

# finish COMMAND NAME: started again, it comes to its end.
finish() {
    local status=0 type live
    if [ "$1" = run ]; then
        wait_long_for all_installed "$2"
        visit "$2" "ECDSA+SHA256" >"$place/visit.log" 2>&1 || fail "$2: no ECDSA certificate"
        visit "$2" "RSA-PSS+SHA256:RSA+SHA256" >"$place/visit.log" 2>&1 ||
            fail "$2: no RSA certificate"
        [ "$(fetch "$2")" = page ] || fail "$2: no page"
        stop_daemon
    else
        wait "$daemon_pid" || status=$?
        daemon_pid=
        [ "$status" -eq 0 ] || fail "$2: issue ends with status $status when started again"
    fi
    for type in ecdsa-p256 rsa-2048; do
        live=$place/$2/live/$2/$type
        openssl verify -CAfile "$PEBBLE_ROOT" -untrusted "$live/fullchain.pem" \
            -verify_hostname "$2" "$live/fullchain.pem" >"$place/verify.log" 2>&1 ||
            fail "$2: $type is not whole"
    done
}

# all_installed NAME: nothing is under way any more.
all_installed() {
    [ -s "$place/$1/live/$1/ecdsa-p256/bundle.pem" ] &&
        [ -s "$place/$1/live/$1/rsa-2048/bundle.pem" ] &&
        ! ls "$place/$1/certificates/$1"/*/order.json
}

# judge NAME STORED: what Pebble saw against what was stored at the moment of the kill.
judge() {
    local name=$1 stored=$2 order orphans
    [ "$(issued | wc -l)" -eq 2 ] || fail "$name: $(issued | wc -l) finalized orders, not 2"
    [ "$(issued | sort -u | wc -l)" -eq 2 ] || fail "$name: one order was finalized twice"
    for order in $stored; do
        issued | grep -qx -- "$order" || fail "$name: the stored order $order was given up"
    done
    orphans=$(added | grep -vxF -- "$(issued)")
    [ "$(wc -w <<<"$orphans")" -le 1 ] || fail "$name: more than one order left behind"
    gaps=$((gaps + $(wc -w <<<"$orphans")))
}

for ((point = 0; point < points; point++)); do
    name=k$point.example
    command=$(command_of "$point")
    wish "$name"
    mark
    # `issue` ends by itself, a few milliseconds after its last request.
    if [ "$command" = issue ]; then
        moment=($((1 + point * (requests - 1) / points)) $((point * 7 % points / 4)))
    else
        moment=($((1 + point * requests / points)) $((point * 7 % points * 2)))
    fi
    start_and_kill "$command" "${moment[@]}" || fail "$name: not killed in time"
    stored=$(cat "$place/$name/certificates/$name"/*/order.json 2>"$place/none.log" |
        grep -o '/my-order/[A-Za-z0-9_-]*' | cut -d/ -f3)
    start "$command"
    finish "$command" "$name"
    judge "$name" "$stored"
    ! grep -q "attempt-failed" "$place/daemon.log" || fail "$name: an attempt failed"
    rm -rf "${place:?}/$name"
done
echo "passed: $points of $points kills; orders left behind by the gap: $gaps"
