#!/bin/bash
# Writes the addresses with too many failed logins into a marked block of a deny file.
set -euo pipefail
log=auth.log deny=hosts.deny limit=3
while getopts l:d:n: option; do
    case $option in
        l) log=$OPTARG ;;
        d) deny=$OPTARG ;;
        n) limit=$OPTARG ;;
        *) exit 2 ;;
    esac
done

[ -e "$deny" ] || : >"$deny"
new=$(mktemp)
trap 'rm -f "$new"' EXIT
sed '/^# BEGIN bans$/,/^# END bans$/d' "$deny" >"$new"
{
    echo '# BEGIN bans'
    grep -oP 'Failed password for .* from \K[0-9a-f.:]+' "$log" | sort | uniq -c |
        awk -v limit="$limit" '$1 >= limit { print "ALL: " $2 }' || true
    echo '# END bans'
} >>"$new"

if cmp -s "$new" "$deny"; then
    echo "no change"
else
    diff "$deny" "$new" | sed -n 's/^> ALL: /banned /p; s/^< ALL: /let in /p' || true
    cat "$new" >"$deny"
fi
