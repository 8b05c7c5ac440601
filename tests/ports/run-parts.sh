#!/bin/bash
# Runs every program of a directory, in order; logs how each ended; `-x` stops at the first that fails.
set -uo pipefail
stop=
[ "${1:-}" = -x ] && { stop=1; shift; }
dir=$1
failed=0 ran=0
for part in "$dir"/*; do
    if [ ! -f "$part" ] || [ ! -x "$part" ]; then
        continue
    fi
    case ${part##*/} in
        *.bak | *.dpkg-* | *~) continue ;;
    esac
    ran=$((ran + 1))
    output=$("$part" 2>&1)
    code=$?
    echo "${part##*/}: $code" >>parts.log
    if [ $code -ne 0 ]; then
        failed=$((failed + 1))
        echo "${part##*/} failed ($code)"
        [ -n "$output" ] && echo "${output//$'\n'/$'\n'  }" | sed '1s/^/  /'
        [ -n "$stop" ] && break
    fi
done
echo "$ran run, $failed failed"
[ $failed -eq 0 ]
