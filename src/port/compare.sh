# Runs a script in namespaces of its own: every directory of the system is a layer over the host's, so that the
# script can read, change and remove what it wants, and nothing of it stays. There is no network and no Docker socket.
# HERE is a directory for what was found; the script's words follow.
here=$1 cwd=$2
shift 2
mount --make-rprivate / 2>/dev/null
mount -t tmpfs -o mode=755 tmpfs /mnt || exit 90
mkdir /mnt/here /mnt/lower /mnt/layers /mnt/bin
# In a user namespace the mounts below are locked to their places, and only a recursive bind takes them along.
mount --bind "$here" /mnt/here && { mount --bind / /mnt/lower || mount --rbind / /mnt/lower; } 2>/dev/null || exit 91
# Puts a layer over a directory.
layer() {
    mkdir -p "/mnt/$2/${1#/}" "/mnt/work/$2/${1#/}"
    set -- "$1" "lowerdir=$1,upperdir=/mnt/$2/${1#/},workdir=/mnt/work/$2/${1#/}"
    mount -t overlay -o "$2" overlay "$1" 2>/dev/null || mount -t overlay -o "$2,userxattr" overlay "$1" || exit 93
}
for dir in /*; do
    case $dir in
    /proc | /sys | /dev | /mnt) continue ;;
    esac
    [ -d "$dir" ] && [ ! -L "$dir" ] || continue
    if [ "$dir" = /run ]; then
        mount -t tmpfs -o mode=755 tmpfs /run || exit 92
        mkdir -p /run/lock
    else
        layer "$dir" layers
    fi
done
# A user's layer cannot copy a directory of somebody else on the way to a file: the user's own have layers of their own.
if [ -n "$WHO" ]; then
    [ -O "$cwd" ] && layer "$cwd" more
    case $HOME/ in
    "$cwd"/*) ;;
    *) [ -O "$HOME" ] && layer "$HOME" more ;;
    esac
    # The script runs as the user that it is outside.
    set -- unshare --user --map-user="${WHO%:*}" --map-group="${WHO#*:}" -- "$@"
fi
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
unset OUTSIDE WHO
: >/mnt/here/acts
"$@" >/mnt/here/out 2>/mnt/here/err </dev/null
echo $? >/mnt/here/status
mkdir -p /mnt/more
for layers in /mnt/layers /mnt/more; do
    cd "$layers" && find . -mindepth 2 -print0
done | LC_ALL=C sort -z | while IFS= read -r -d '' path; do
    cd /mnt/layers
    [ -e "$path" ] || [ -L "$path" ] || cd /mnt/more
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
