#!/bin/bash
# Dumps each database into a file of its own, tests it, and removes dumps that are older than a week.
set -uo pipefail

target=${1:?usage: dump-databases DIR}
day=$(date +%F)
failed=()
mkdir -p "$target"

databases=$(mysql -N -e 'show databases') || exit 1
while read -r database; do
    case $database in
        '' | information_schema | performance_schema | sys) continue ;;
    esac
    dump=$target/$database-$day.sql.gz
    if mysqldump --single-transaction "$database" | gzip >"$dump.part" && gunzip -t <"$dump.part"; then
        mv "$dump.part" "$dump"
        chmod 600 "$dump"
        echo "dumped $database"
    else
        rm -f "$dump.part"
        failed+=("$database")
    fi
done <<<"$databases"

find "$target" -name '*.sql.gz' -mtime +7 -delete
if [ ${#failed[@]} -gt 0 ]; then
    echo "failed: ${failed[*]}"
    exit 1
fi
