#!/bin/bash
# Mails the error lines that logs have got since the last run; where each log was read to is kept.
set -euo pipefail
state=.digest
mkdir -p "$state"
digest=$(mktemp)
trap 'rm -f "$digest"' EXIT

for log in logs/*.log; do
    [ -f "$log" ] || continue
    mark=$state/$(basename "$log").lines
    seen=0
    [ -f "$mark" ] && seen=$(<"$mark")
    total=$(wc -l <"$log")
    # A log with fewer lines than last time was rotated.
    [ "$total" -ge "$seen" ] || seen=0
    errors=$(tail -n +"$((seen + 1))" "$log" | grep -iE 'error|fatal' || true)
    if [ -n "$errors" ]; then
        printf '== %s\n%s\n' "$log" "$errors" >>"$digest"
    fi
    echo "$total" >"$mark"
done

[ -s "$digest" ] || exit 0
count=$(grep -vc '^== ' "$digest")
mail -s "$count errors" "${1:-root}" <"$digest"
echo "mailed $count lines"
