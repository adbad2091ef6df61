#!/bin/sh
# SPDX-License-Identifier: MIT
# lwsws_built.sh VERSION FOLDER BUILD TARGET: lwsws can be built in FOLDER from Debian's sources,
# and our plugins with its headers (TARGET of the build folder BUILD). Not a test so much as what
# other tests stand on: they are skipped when this is.
set -eu
"$(dirname "$0")/../../scripts/lwsws.sh" "$1" "$2" || exit $?
grep -H '^without' "$2.log" || true
exec cmake --build "$3" --target "$4"
