#!/bin/bash
# A post-receive hook: checks out the branch that was pushed into its directory, and writes a log.
set -euo pipefail
log=deploy.log
while read -r old new ref; do
    branch=${ref#refs/heads/}
    case $ref in
        refs/heads/main) target=www ;;
        refs/heads/stage) target=www-stage ;;
        refs/tags/*)
            echo "tag ${ref##*/}"
            continue
            ;;
        *)
            echo "ignored $ref"
            continue
            ;;
    esac
    if [[ $new =~ ^0+$ ]]; then
        echo "$branch was deleted"
        continue
    fi
    mkdir -p "$target"
    git --work-tree="$target" checkout -f "$branch"
    [[ $old =~ ^0+$ ]] && old=nothing
    echo "$branch: ${old:0:7}..${new:0:7}" >>"$log"
    echo "deployed $branch to $target"
done
