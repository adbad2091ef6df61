#!/bin/bash
# SPDX-License-Identifier: MIT
# Proven here: bad input ends in one clear line and the right exit status, for `issue` and `run`:
# unknown CA, wrong root file, no directory, port taken, state directory not ours or open, faults of
# the YAML file with their lines; a dead --to gets a clean close while the front stays up; and what
# was stored before is untouched.
. "$(dirname "$0")/program.sh"
begin
unmount() {
    mountpoint -q "$place/full" 2>/dev/null && umount "$place/full"
}
trap 'status=$?; unmount; (exit $status); leave' EXIT

expect 0 "stored:" "$thinair" issue --name kept.example "${common[@]}" --agree-terms
find "$place/state/certificates" "$place/state/live" -type f -exec sha256sum {} + >"$place/before"
state="--state $place/state"
http="--http 127.0.0.1:$PEBBLE_HTTP_PORT"
wish="--name a.example --agree-terms"

# The CA.
expect 1 "cannot get the CA's directory" "$thinair" issue $wish $state $http \
    --ca "https://nowhere.invalid/dir"
expect 1 "nowhere.invalid" "$thinair" issue $wish $state $http --ca "https://nowhere.invalid/dir"
expect 1 "cannot get the CA's directory" "$thinair" issue $wish $state $http \
    --ca "$PEBBLE_URL" --ca-file "$PEBBLE_ROOT"
expect 1 "cannot get the CA's directory" "$thinair" issue $wish $state $http --ca "$PEBBLE_URL"
expect 1 "directory" "$thinair" issue $wish $state $http --ca "$PEBBLE_MANAGEMENT/roots/0" \
    --ca-file "$PEBBLE_CA"
expect 2 "--ca-file: $place/none.pem cannot be opened" "$thinair" issue $wish $state $http \
    --ca "$PEBBLE_URL" --ca-file "$place/none.pem"
expect 2 "--ca-file: $place/hosts holds no certificate" bash -c \
    'echo junk >"$1"; shift; exec "$@"' - "$place/hosts" "$thinair" issue $wish $state $http \
    --ca "$PEBBLE_URL" --ca-file "$place/hosts"
expect 2 "--ca: letsencrpyt is no known CA; did you mean letsencrypt" \
    "$thinair" issue $wish $state --ca letsencrpyt

# Ports and the state directory.
python3 -c '
import signal, socket, sys
s = socket.create_server(("127.0.0.1", 0))
open(sys.argv[1], "w").write(str(s.getsockname()[1]))
signal.alarm(100)
signal.pause()' "$place/held.port" &
page_pid=$!
wait_for test -s "$place/held.port"
expect 1 "another program has the port" "$thinair" issue $wish $state --ca "$PEBBLE_URL" \
    --ca-file "$PEBBLE_CA" --http "127.0.0.1:$(cat "$place/held.port")"
mkdir -m 755 "$place/open"
expect 1 "$place/open" "$thinair" issue $wish --state "$place/open" $http --ca "$PEBBLE_URL"
expect 1 "/proc/nothing" "$thinair" issue $wish --state /proc/nothing $http --ca "$PEBBLE_URL"
expect 1 "$place/absent" "$thinair" list --state "$place/absent"
: >"$place/file"
expect 1 "$place/file" "$thinair" issue $wish --state "$place/file" $http --ca "$PEBBLE_URL"
expect 1 "there is no such user" "$thinair" run $wish $state $http --to 127.0.0.1:1 \
    --listen 127.0.0.1:0 --user no-such-user
if [ "$(id -u)" -eq 0 ]; then
    mkdir -m 700 "$place/theirs"
    chown nobody "$place/theirs"
    expect 1 "$place/theirs" "$thinair" issue $wish --state "$place/theirs" $http \
        --ca "$PEBBLE_URL"
fi

# A key of another owner, a full disk: what cannot be stored or trusted is told with its path.
if [ "$(id -u)" -eq 0 ]; then
    key=$place/state/certificates/kept.example/ecdsa-p256/generations/000001/key.pem
    chown nobody "$key"
    expect 1 "key.pem: belongs to another user" "$thinair" issue --name kept.example "${common[@]}"
    chown root "$key"
    mkdir "$place/full"
    if mount -t tmpfs -o size=48k,mode=700 tmpfs "$place/full" 2>"$place/mount.log"; then
        dd if=/dev/zero of="$place/full/junk" bs=1k count=24 2>/dev/null
        expect 1 "no space left" "$thinair" issue $wish --state "$place/full/state" $http \
            --ca "$PEBBLE_URL" --ca-file "$PEBBLE_CA"
        umount "$place/full"
    fi
fi

# The file: each fault with its line.
refuse_file() {
    printf '%b' "$2" >"$place/bad.yaml"
    expect 2 "$place/bad.yaml:$1" "$thinair" config "$place/bad.yaml"
    expect 2 "$place/bad.yaml:$1" "$thinair" run --config "$place/bad.yaml"
}
one="certificates:\n- name: a.example\n  to: 127.0.0.1:1\n"
refuse_file "4: unknown key kyes; did you mean keys?" "$one  kyes: rsa-2048\n"
refuse_file "1: agree-terms: expected true or false" "agree-terms: maybe\n$one"
refuse_file "1: listen: expected a text, found a map" "listen: {port: 443}\n$one"
refuse_file "2: a_b is no DNS name" "certificates:\n- name: a_b\n  to: 127.0.0.1:1\n"
refuse_file "5: the id x belongs to the certificate on line 2 already" "certificates:
- name: a.example\n  id: x\n  to: b:1\n- name: b.example\n  id: x\n  to: b:1\n"
refuse_file "2: is not YAML" "listen: [\n"
expect 2 "did you mean issue?" "$thinair" isue
expect 2 "is missing" "$thinair" run
expect 2 "has nowhere to go" "$thinair" run --name a.example
expect 0 "a.example" "$thinair" config <(printf "$one")

# A key file of another owner, or open to others.
echo "c2VjcmV0" >"$place/eab.key"
chmod 644 "$place/eab.key"
expect 2 "is open to others" "$thinair" issue $wish $state $http --eab-kid x \
    --eab-key-file "$place/eab.key"

# A dead --to: a clean close for the client, and the front goes on.
start_daemon --name kept.example --to 127.0.0.1:1 "${common[@]}" --agree-terms \
    --listen "127.0.0.1:$PEBBLE_TLS_PORT"
for try in 1 2; do
    wait_for serial kept.example
    fetch kept.example >"$place/dead.log" 2>&1
    case $? in
    52) ;; # an empty reply: the handshake was done and the end was orderly
    *) fail "a dead backend: $(cat "$place/dead.log")" ;;
    esac
done
expect 1 "stop it first" "$thinair" run --name kept.example --to 127.0.0.1:1 $state \
    --http 127.0.0.1:0 --listen 127.0.0.1:0 --ca "$PEBBLE_URL" --ca-file "$PEBBLE_CA"
stop_daemon

find "$place/state/certificates/kept.example" "$place/state/live/kept.example" -type f \
    -exec sha256sum {} + >"$place/after"
grep kept.example "$place/before" | diff - "$place/after" >/dev/null ||
    fail "what was stored has changed"
echo "passed"
