#!/usr/bin/env bash
# PID 1 of a lab host; lab.py starts it inside fresh network, mount, PID, UTS and IPC namespaces.
# bash reaps orphans, which Ray's own clean-up relies on.
#
# LAB: the lab's folder. NAME, ADDRESS: the host's. KEEP: folders, parted by colons, to show read-only.
set -euo pipefail

mount --make-rprivate /
# What is to be shown may lie below /tmp or /root, which are replaced: it waits in /run meanwhile.
mount -t tmpfs -o mode=755 tmpfs /run
IFS=: read -ra keep <<<"$LAB:$KEEP"
for i in "${!keep[@]}"; do
    mkdir -p "/run/keep/$i"
    mount --bind "${keep[$i]}" "/run/keep/$i"
done
mount --bind "$LAB/shared" /mnt
mount -t tmpfs -o mode=1777,size=4g tmpfs /tmp
mount -t tmpfs -o mode=1777,size=64m tmpfs /var/tmp
mount -t tmpfs -o mode=700,size=1g tmpfs /root
mount -t tmpfs -o mode=1777,size=512m tmpfs /dev/shm # Ray's object store
for i in "${!keep[@]}"; do
    mkdir -p "${keep[$i]}"
    mount --move "/run/keep/$i" "${keep[$i]}"
    mount -o remount,bind,ro "${keep[$i]}"
done
hostname "$NAME"
mount --bind "$LAB/hosts" /etc/hosts
mount --bind /dev/null /etc/resolv.conf # no DNS, so no waiting for it
mount -o remount,bind,ro /             # a host cannot harm the machine that it lives on

install -d -m 700 /root/.ssh /run/sshd
install -m 600 "$LAB/key" /root/.ssh/id_lab # one throwaway key for the whole lab
install -m 600 "$LAB/key.pub" /root/.ssh/authorized_keys
install -m 600 "$LAB/profile" /root/.profile
install -m 600 "$LAB/profile" /root/.bashrc

until ip -o addr show dev eth0 2>/dev/null | grep -q "inet $ADDRESS/"; do sleep 0.05; done
/usr/sbin/sshd -D -e -f /dev/null -o HostKey="$LAB/key" -o PidFile=none -o UsePAM=no -o StrictModes=no \
    -o PermitRootLogin=prohibit-password -o PasswordAuthentication=no -o PrintMotd=no \
    -o MaxStartups=100 -o Subsystem="sftp internal-sftp" </dev/null &

# The other end is held by the process that made the lab: when that dies, however it dies, so does the host.
read -r _ || true
