# Runs a script in namespaces of its own: every directory of the system is a layer over the host's, so that the
# script can read, change and remove what it wants, and nothing of it stays. There is no network and no Docker socket.
# HERE is a directory for what was found; the script's words follow.
here=$1 cwd=$2
shift 2
mount --make-rprivate / 2>/dev/null
mount -t tmpfs -o mode=755 tmpfs /mnt || exit 90
mkdir /mnt/here /mnt/lower /mnt/layers /mnt/bin
mount --bind "$here" /mnt/here && mount --bind / /mnt/lower || exit 91
for dir in /*; do
    case $dir in
    /proc | /sys | /dev | /mnt) continue ;;
    esac
    [ -d "$dir" ] && [ ! -L "$dir" ] || continue
    name=${dir#/}
    mkdir -p "/mnt/layers/$name" "/mnt/work/$name"
    if [ "$name" = run ]; then
        mount -t tmpfs -o mode=755 tmpfs /run || exit 92
        mkdir -p /run/lock
    else
        mount -t overlay -o "lowerdir=$dir,upperdir=/mnt/layers/$name,workdir=/mnt/work/$name" overlay "$dir" || exit 93
    fi
done
# What acts on other hosts, on daemons or on people is recorded.
for program in $OUTSIDE; do
    cat >"/mnt/bin/$program" <<'SHIM'
#!/bin/bash
{
    printf '%s' "${0##*/}"
    [ $# -eq 0 ] || printf ' %q' "$@"
    printf '\n'
} >>/mnt/here/acts
SHIM
    chmod 755 "/mnt/bin/$program"
done
export PATH="/mnt/bin:$PATH" MOYAI_STATE=/mnt/state
cd "$cwd" || exit 94
: >/mnt/here/acts
"$@" >/mnt/here/out 2>/mnt/here/err </dev/null
echo $? >/mnt/here/status
cd /mnt/layers || exit 95
find . -mindepth 2 -print0 | LC_ALL=C sort -z | while IFS= read -r -d '' path; do
    if [ -c "$path" ] && [ ! -L "$path" ]; then
        printf 'removed %s\n' "${path#.}"
    elif [ -L "$path" ]; then
        printf 'link %s -> %s\n' "${path#.}" "$(readlink "$path")"
    elif [ -d "$path" ]; then
        [ -d "/mnt/lower/$path" ] || printf 'directory %s %s\n' "${path#.}" "$(stat -c %a "$path")"
    elif [ -f "$path" ]; then
        printf 'file %s %s %s\n' "${path#.}" "$(stat -c %a "$path")" "$(sha256sum <"$path" | cut -c1-16)"
    fi
done >/mnt/here/files
