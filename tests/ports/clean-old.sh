#!/bin/bash
# Removes files of a directory that nobody has changed for DAYS days, and directories that are empty then.
set -euo pipefail
days=30 patterns=()
usage() { echo "usage: clean-old [-d DAYS] [-p PATTERN]... DIR" >&2; exit 1; }
while getopts d:p: option; do
    case $option in
        d) days=$OPTARG ;;
        p) patterns+=("$OPTARG") ;;
        *) usage ;;
    esac
done
shift $((OPTIND - 1))
[ $# -eq 1 ] && [ -d "$1" ] || usage
[ ${#patterns[@]} -gt 0 ] || patterns=('*')

count=0 bytes=0
for pattern in "${patterns[@]}"; do
    while IFS= read -r -d '' file; do
        bytes=$((bytes + $(stat -c %s -- "$file")))
        count=$((count + 1))
        rm -f -- "$file"
    done < <(find "$1" -type f -name "$pattern" -mtime +"$days" -print0)
done
find "$1" -mindepth 1 -type d -empty -delete
echo "removed $count files, $bytes bytes"
