#!/bin/bash
# Report of a web server's log: requests and bytes, statuses, the busiest addresses, pages that are missing.
set -euo pipefail
top=3
while getopts t: option; do
    case $option in t) top=$OPTARG ;; *) exit 2 ;; esac
done
shift $((OPTIND - 1))
log=${1:-access.log}
[ -r "$log" ] || { echo "cannot read $log" >&2; exit 1; }

awk '{ bytes += $10 } END { printf "%d requests, %.1f KiB\n", NR, bytes / 1024 }' "$log"
echo "== statuses"
awk '{ count[$9]++ } END { for (s in count) print s, count[s] }' "$log" | sort
echo "== addresses"
awk '{ print $1 }' "$log" | LC_ALL=C sort | uniq -c | LC_ALL=C sort -k1,1nr -k2 | head -n "$top" |
    awk '{ printf "%6d %s\n", $1, $2 }'
echo "== missing"
awk '$9 == 404 { print $7 }' "$log" | sort -u
