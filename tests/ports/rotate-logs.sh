#!/bin/bash
# Rotates the logs of a directory that are larger than SIZE bytes, and keeps the newest KEEP.
set -euo pipefail

keep=3 size=1000
while getopts k:s: option; do
    case $option in
        k) keep=$OPTARG ;;
        s) size=$OPTARG ;;
        *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
[ -d "${1:-}" ] || { echo "usage: rotate-logs [-k KEEP] [-s SIZE] DIR" >&2; exit 1; }

for log in "$1"/*.log; do
    [ -e "$log" ] || continue
    [ "$(stat -c %s -- "$log")" -gt "$size" ] || continue
    rm -f -- "$log.$keep.gz"
    for ((i = keep - 1; i >= 1; i--)); do
        if [ -e "$log.$i.gz" ]; then
            mv -- "$log.$i.gz" "$log.$((i + 1)).gz"
        fi
    done
    gzip -c -- "$log" >"$log.1.gz" || { rm -f -- "$log.1.gz"; exit 1; }
    : >"$log"
    echo "rotated ${log##*/}"
done
