#!/bin/bash
# Mails everybody whose directory is larger than the limit of a table, and root a list of them.
set -euo pipefail
table=${1:-quota.conf}
report=$(mktemp)
trap 'rm -f "$report"' EXIT

while read -r user limit rest; do
    [[ $user == \#* || -z $user ]] && continue
    [ -d "home/$user" ] || { echo "$user: no directory"; continue; }
    used=$(($(find "home/$user" -type f -printf '%s+') 0))
    ((used > limit)) || continue
    percent=$((used * 100 / limit))
    echo "$user: $used of $limit bytes ($percent%)" >>"$report"
    mail -s "Your directory on $(cat hostname) is full" "$user" <<END
Dear $user,

your directory holds $used bytes; $limit are yours.
Please remove what you do not need.
END
done <"$table"

if [ -s "$report" ]; then
    sort "$report" | tee >(mail -s 'Over quota' root) | cat
    sleep 0.2
    exit 1
fi
