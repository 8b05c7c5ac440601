#!/bin/bash
# Fills the @NAME@ of templates with the values of a file, and reloads the service if something changed.
set -euo pipefail
values=$1 changed=0
declare -A value
while IFS='=' read -r name rest; do
    [[ $name =~ ^[A-Z_]+$ ]] || continue
    value[$name]=$rest
done <"$values"

mkdir -p conf
for template in templates/*.in; do
    [ -e "$template" ] || { echo "no templates" >&2; exit 1; }
    text=$(<"$template")
    for name in "${!value[@]}"; do
        text=${text//"@$name@"/"${value[$name]}"}
    done
    if [[ $text =~ @[A-Z_]+@ ]]; then
        echo "$template: no value for ${BASH_REMATCH[0]}"
        exit 3
    fi
    name=${template##*/}
    target=conf/${name%.in}
    if [ -f "$target" ] && cmp -s "$target" <(printf '%s\n' "$text"); then
        continue
    fi
    printf '%s\n' "$text" >"$target"
    echo "wrote $target"
    changed=1
done
if [ $changed = 1 ]; then
    service app reload
fi
