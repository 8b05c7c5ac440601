#!/bin/bash
# Removes containers that exited HOURS ago or earlier, unless labelled keep=yes, and images without a name.
set -euo pipefail
limit=$(($(date +%s) - ${1:-24} * 3600))
for id in $(docker ps --all --quiet --filter status=exited); do
    IFS='|' read -r name finished keep < <(
        docker inspect --format '{{.Name}}|{{.State.FinishedAt}}|{{index .Config.Labels "keep"}}' "$id"
    )
    [ "$keep" = yes ] && continue
    [ "$(date -d "$finished" +%s)" -le "$limit" ] || continue
    docker rm "$id" >/dev/null
    echo "removed ${name#/}"
done
for image in $(docker images --quiet --filter dangling=true); do
    docker rmi "$image" >/dev/null
    echo "removed an image"
done
