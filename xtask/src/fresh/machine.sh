# Runs a command in a machine that is a directory, in the mount namespace that `unshare` made: all that is mounted here ends
# with it. Arguments: the directory, the Rust toolchain, the command.
set -eu
root=$1 rust=$2
shift 2
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
# Devices of its own: what a program does to /dev stays there.
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mkdir "$root/dev/shm"
for device in null:3 zero:5 full:7 random:8 urandom:9; do
  mknod -m 666 "$root/dev/${device%:*}" c 1 "${device#*:}"
done
ln -s /proc/self/fd "$root/dev/fd"
mkdir -p "$root/opt/rust"
mount --bind "$rust" "$root/opt/rust"
mount -o remount,bind,ro "$root/opt/rust"
exec chroot "$root" /bin/sh -c 'cd /root/project && exec "$@"' sh "$@"
