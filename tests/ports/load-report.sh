#!/bin/bash
# One page about a host: load, memory, swap and what runs, with a mark where a limit is passed.
set -euo pipefail
proc=${PROC:-/proc}
mark() { if (($1 >= $2)); then echo '  <-- look'; fi; }

read -r one five _ <"$proc/loadavg"
echo "load $one $five$(mark "${one%.*}" 4)"

meminfo() { awk -v key="$1:" '$1 == key { print $2 }' "$proc/meminfo"; }
total=$(meminfo MemTotal) available=$(meminfo MemAvailable)
used=$(((total - available) * 100 / total))
printf 'memory %d of %d MiB used, %d%%%s\n' $(((total - available) / 1024)) $((total / 1024)) $used "$(mark $used 90)"

swap=$(meminfo SwapTotal)
if [ "$swap" -gt 0 ]; then
    free=$(meminfo SwapFree)
    printf 'swap %d%%%s\n' $(((swap - free) * 100 / swap)) "$(mark $(((swap - free) * 100 / swap)) 50)"
else
    echo 'no swap'
fi

read -r seconds _ <"$proc/uptime"
seconds=${seconds%.*}
printf 'up %d days %02d:%02d\n' $((seconds / 86400)) $((seconds % 86400 / 3600)) $((seconds % 3600 / 60))
