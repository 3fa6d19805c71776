/** Units of systemd, CoreOS and OpenShift nodes that a config may name without having them. */
const NAMES = new Set(
  [
    // systemd.special(7)
    'basic bluetooth boot-complete cryptsetup cryptsetup-pre ctrl-alt-del default emergency exit factory-reset final',
    'first-boot-complete getty getty-pre graphical halt hibernate initrd initrd-fs initrd-root-device initrd-root-fs',
    'initrd-switch-root initrd-usr-fs integritysetup kexec local-fs local-fs-pre machines multi-user network',
    'network-online network-pre nss-lookup nss-user-lookup paths poweroff printer reboot remote-cryptsetup remote-fs',
    'remote-fs-pre remote-veritysetup rescue rpcbind shutdown sigpwr sleep slices smartcard sockets sound',
    'sshd-keygen storage-target-mode suspend swap sysinit system-update time-set time-sync timers umount usb-gadget',
    'veritysetup',
    // OpenShift
    'kubelet-dependencies firstboot-osupdate',
  ]
    .flatMap((line) => line.split(' '))
    .map((name) => `${name}.target`)
    .concat(
      [
        'NetworkManager NetworkManager-dispatcher NetworkManager-wait-online auditd bootupd chronyd chrony-wait crio',
        'crio-wipe dbus dbus-broker dnsmasq dracut-shutdown emergency firewalld fstrim gssproxy haproxy import-state',
        'ip6tables iptables irqbalance iscsid kdump keepalived kubelet ldconfig logrotate lvm2-monitor',
        'machine-config-daemon-firstboot machine-config-daemon-pull mdmonitor multipathd nfs-client nftables',
        'nm-cloud-setup nodeip-configuration openvswitch ovs-configuration ovs-vswitchd ovsdb-server podman',
        'podman-auto-update podman-restart polkit qemu-guest-agent rescue rpc-gssd rpc-statd rpcbind rpm-ostreed',
        'rpm-ostree-countme selinux-autorelabel-mark sshd sshd-keygen sssd timedatex tuned udisks2 usbguard vmtoolsd',
        'zincati',
        // Of the installer from 4.19 on: what is to come before it says so on every release.
        'node-image-pull',
        // Of edgefab, in one cache mode each: what comes after or before them says so in both.
        'edgefab-cache edgefab-clock edgefab-preload',
      ]
        .flatMap((line) => line.split(' '))
        .map((name) => `${name}.service`),
    )
    .concat([
      ...[
        'dbus.socket',
        'iscsid.socket',
        'lvm2-lvmpolld.socket',
        'multipathd.socket',
        'podman.socket',
        'rpcbind.socket',
      ],
      ...[
        'sshd.socket',
        'fstrim.timer',
        'logrotate.timer',
        'podman-auto-update.timer',
        'unbound-anchor.timer',
      ],
    ]),
);

/** Whole families that come with the system. */
const FAMILIES =
  /^(?:systemd-|coreos-|ignition-|ostree-|afterburn|clevis-|console-login-helper-messages-|rhcos-|nfs-|lvm2-|dracut-|initrd-)/;
const TEMPLATES =
  /^(?:getty|serial-getty|autovt|user|user-runtime-dir|sshd-keygen|modprobe|sshd|lvm2-pvscan)@/;

/** Tells whether a unit comes with the system, as far as edgefab knows. */
export function isWellKnownUnit(name: string): boolean {
  return NAMES.has(name) || FAMILIES.test(name) || TEMPLATES.test(name);
}
