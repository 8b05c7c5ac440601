#!/bin/bash
# Restarts the services of a list that are down. After three restarts in a row it mails instead.
set -euo pipefail

list=$1 state=state log=watchdog.log
mkdir -p "$state"
while IFS= read -r service || [ -n "$service" ]; do
    service=${service%%#*}
    service=${service//[[:space:]]/}
    [ -n "$service" ] || continue
    count=$(cat "$state/$service" 2>/dev/null || echo 0)
    if systemctl is-active --quiet "$service"; then
        rm -f "$state/$service"
        continue
    fi
    if [ "$count" -ge 3 ]; then
        echo "$service stays down" | mail -s "watchdog: $service" root
        continue
    fi
    echo $((count + 1)) >"$state/$service"
    if systemctl restart "$service"; then
        echo "restarted $service" | tee -a "$log"
    else
        echo "cannot restart $service" | tee -a "$log"
    fi
done <"$list"
