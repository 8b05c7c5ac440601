#!/bin/bash
# Runs a command for cron: one at a time, output only when it fails, each run noted.
set -uo pipefail
name=$1
shift
exec 9>"${TMPDIR:-/tmp}/$name.lock"
flock -n 9 || { echo "$name is running already" >&2; exit 75; }

output=$(mktemp)
trap 'rm -f "$output" "${TMPDIR:-/tmp}/$name.lock"' EXIT
"$@" >"$output" 2>&1
code=$?
printf '%s exit=%d lines=%d\n' "$name" $code "$(wc -l <"$output")" >>runs.log
if [ $code -ne 0 ]; then
    echo "$name failed with $code:"
    sed 's/^/  /' "$output"
fi
exit $code
