#!/bin/sh
# The small server of docker-compose.yml: sshd, and the embedded target on the server's localhost.
#
#   vps.sh ARGUMENTS OF loadgen demo...
#   vps.sh healthy
set -eu

# Whether something listens on a port, as the kernel tells it: asking the target itself would take from its half a CPU.
listens() {
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | grep -q "^ *[0-9]*: [0-9A-F]*:$(printf '%04X' "$1") [0-9A-F]*:0000 0A "
}

if [ "${1:-}" = healthy ]; then
    listens 2222 && listens 3001 && listens 3002 && [ -s /keys/known_hosts ]
    exit
fi

# Made once, and kept with the volumes: `docker compose down -v` is what makes new ones. Both halves are made again if one
# is missing, as after a start that was cut short.
umask 077
key() {
    if [ ! -s "$1" ] || [ ! -s "$1.pub" ]; then
        rm -f "$1" "$1.pub"
        ssh-keygen -q -t ed25519 -N '' -C "$2" -f "$1"
    fi
}
key /host/ssh_host_ed25519_key vps
key /keys/id_ed25519 loadgen
# Always written, so that it is never another server's; in one step, so that nobody reads half of it.
printf '[vps]:2222 %s\n' "$(cut -d ' ' -f 1,2 /host/ssh_host_ed25519_key.pub)" >/keys/known_hosts.new
mv /keys/known_hosts.new /keys/known_hosts

# Not a child of the target: what the target takes is told apart from what SSH takes.
(/usr/sbin/sshd -D -e -f /etc/loadgen/sshd_config &)
exec loadgen demo "$@"
