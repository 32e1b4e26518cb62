/** Debian's iproute2 and ethtool, unmodified: they show the truth about a kernel's network, and change it, wherever they run. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';

const path = (name: string): string => new URL(name, import.meta.url).pathname;
const LAB = path('../../cli/lab.mjs');
const ARCHIVE = path('../../../node_modules/.cache/debian/network.tar.gz');

/** Packed once, and kept. False where there is no way to get it. */
function isThere(): boolean {
  if (existsSync(ARCHIVE)) return true;
  mkdirSync(dirname(ARCHIVE), { recursive: true });
  const { status, stderr } = spawnSync(process.execPath, [path('userland.mjs'), '-o', ARCHIVE, 'iproute2', 'ethtool'], {
    encoding: 'utf8',
  });
  if (status !== 0) process.stderr.write(stderr);
  return status === 0;
}

const SCRIPT = `
ip addr
ip addr add 10.9.0.1/24 dev lo
ip -br addr
ip addr add 10.9.0.1/24 dev lo
ip route add 10.20.0.0/16 dev lo metric 7
ip route
ip route get 10.9.0.1
ip route del 10.20.0.0/16
ip route
ip addr del 10.9.0.1/24 dev lo
ip link set lo mtu 1500
ip link set lo down
ip -br link
ip link set lo up mtu 65536
ip addr show dev lo
ip link show nosuch
ip neigh
/usr/lib/tests/inet hold ss -Htuanp
cat /proc/net/tcp | wc -l
cat /sys/class/net/lo/operstate /proc/sys/net/core/somaxconn
`;

const LINK =
  '<LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000\n    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00\n';
const HOME = '    inet 127.0.0.1/8 scope host lo\n       valid_lft forever preferred_lft forever\n';

/** What `inet hold` holds. */
const SOCKETS = [
  'udp   UNCONN 0      0      127.0.0.1:5000 0.0.0.0:*    users:(("inet",pid=N,fd=5))\n',
  'tcp   LISTEN 0      5      127.0.0.1:4000 0.0.0.0:*    users:(("inet",pid=N,fd=3))\n',
  'tcp   ESTAB  7      0      127.0.0.1:4001 127.0.0.1:4000 users:(("inet",pid=N,fd=4))\n',
  'tcp   ESTAB  0      0      127.0.0.1:4000 127.0.0.1:4001 users:(("inet",pid=N,fd=6))\n',
];

/** Addresses and routes of all kinds on loopback; and what Linux made of it, under qemu-riscv64 in a network namespace with nothing else. */
const KINDS = `
ip -4 addr add 10.9.0.1/24 dev lo
ip -4 addr add 10.9.0.2/24 dev lo label lo:1
ip -4 addr add 10.9.0.3 peer 10.8.0.4 dev lo
ip -4 addr add 10.9.1.1/24 brd + dev lo scope host
ip -4 addr show dev lo
ip route show table local dev lo
ip -4 addr del 10.9.0.1/24 dev lo
ip -4 -br addr show dev lo
ip route add 10.22.0.1 dev lo src 10.9.1.1 mtu 1400
ip route add blackhole 10.30.0.0/16
ip route add unreachable 10.31.0.0/16
ip route add prohibit 10.32.0.0/16 metric 3
ip route add default dev lo
ip route
ip route show dev lo
for at in 10.22.0.1 10.30.1.1 10.31.1.1 10.32.1.1 10.9.1.77 127.0.0.2 '10.9.1.1 from 10.9.0.3'; do ip route get $at; done
ip route del prohibit 10.32.0.0/16 metric 4
ip route del 10.32.0.0/16
ip link set lo name own txqueuelen 500 promisc on
ip link show own
ip route
`;
const KINDS_ON_LINUX = `1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000
    inet 127.0.0.1/8 scope host lo
       valid_lft forever preferred_lft forever
    inet 10.9.1.1/24 brd 10.9.1.255 scope host lo
       valid_lft forever preferred_lft forever
    inet 10.9.0.1/24 scope global lo
       valid_lft forever preferred_lft forever
    inet 10.9.0.3 peer 10.8.0.4/32 scope global lo
       valid_lft forever preferred_lft forever
    inet 10.9.0.2/24 scope global secondary lo:1
       valid_lft forever preferred_lft forever
local 10.8.0.4 proto kernel scope host src 10.9.0.3
local 10.9.0.0/24 proto kernel scope host src 10.9.0.1
local 10.9.0.1 proto kernel scope host src 10.9.0.1
local 10.9.0.2 proto kernel scope host src 10.9.0.1
local 10.9.0.3 proto kernel scope host src 10.9.0.3
broadcast 10.9.0.255 proto kernel scope link src 10.9.0.1
local 10.9.1.0/24 proto kernel scope host src 10.9.1.1
local 10.9.1.1 proto kernel scope host src 10.9.1.1
broadcast 10.9.1.255 proto kernel scope link src 10.9.1.1
local 127.0.0.0/8 proto kernel scope host src 127.0.0.1
local 127.0.0.1 proto kernel scope host src 127.0.0.1
broadcast 127.255.255.255 proto kernel scope link src 127.0.0.1
lo               UNKNOWN        127.0.0.1/8 10.9.1.1/24 10.9.0.3 peer 10.8.0.4/32
default dev lo scope link
10.22.0.1 dev lo scope link src 10.9.1.1 mtu 1400
blackhole 10.30.0.0/16
unreachable 10.31.0.0/16
prohibit 10.32.0.0/16 metric 3
default scope link
10.22.0.1 scope link src 10.9.1.1 mtu 1400
10.22.0.1 dev lo src 10.9.1.1 uid 0
    cache <local> mtu 1400
RTNETLINK answers: Invalid argument
RTNETLINK answers: No route to host
RTNETLINK answers: Permission denied
local 10.9.1.77 dev lo src 10.9.1.1 uid 0
    cache <local>
local 127.0.0.2 dev lo src 127.0.0.1 uid 0
    cache <local>
local 10.9.1.1 from 10.9.0.3 dev lo uid 0
    cache <local>
RTNETLINK answers: No such process
1: own: <LOOPBACK,PROMISC,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN mode DEFAULT group default qlen 500
    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00
default dev own scope link
10.22.0.1 dev own scope link src 10.9.1.1 mtu 1400
blackhole 10.30.0.0/16
unreachable 10.31.0.0/16
`;

describe.skipIf(!isThere())('iproute2 and ethtool of Debian (skipped without apt)', () => {
  const run = (script: string, ...options: string[]): string => {
    const args = [LAB, 'exec', '--with', ARCHIVE, ...options, '--', 'sh', '-c', `exec 2>&1; ${script}`];
    const { stdout } = spawnSync(process.execPath, args, { input: '', encoding: 'latin1', timeout: 170_000 });
    // ss fills its lines up to a width that it takes for the terminal's, and tells pids.
    return stdout.replace(/ +$/gm, '').replace(/pid=\d+/g, 'pid=N');
  };

  const expected = [
    `1: lo: ${LINK}${HOME}`,
    'lo               UNKNOWN        127.0.0.1/8 10.9.0.1/24\n',
    'RTNETLINK answers: File exists\n',
    '10.20.0.0/16 dev lo scope link metric 7\n',
    'local 10.9.0.1 dev lo src 10.9.0.1 uid 0\n    cache <local>\n',
    'lo               DOWN           00:00:00:00:00:00 <LOOPBACK>\n',
    `1: lo: ${LINK}${HOME}`,
    'Device "nosuch" does not exist.\n',
    ...SOCKETS,
    'unknown\n4096\n',
  ];
  /** Runs of blanks as one: the columns are as wide as what is in them. */
  const narrow = (text: string): string => text.replace(/[ \t]+/g, ' ');

  it('shows what there is, and what it has changed', () => {
    const text = narrow(run(SCRIPT));
    let at = 0;
    for (const part of expected) {
      const found = text.indexOf(narrow(part), at);
      expect(found, `${part}\nis missing in\n${text.slice(at)}`).toBeGreaterThanOrEqual(0);
      at = found + narrow(part).length;
    }
  }, 180_000);

  it('has kinds of addresses and routes, and ways to them, as Linux has', () => {
    expect(run(`ip link set vnet0 down; ip link set eth0 down; ${KINDS}`)).toBe(KINDS_ON_LINUX);
  }, 180_000);

  it('does so from whichever of 8 kernels it is on, as its network is that of the kernel where it began', () => {
    const moving = narrow(run('ip addr show dev lo; /usr/lib/tests/inet hold ss -Htuan', '--plan', 'clustered', '--migrate-every', '1ms'));
    expect(moving).toBe(`${narrow(`1: lo: ${LINK}${HOME}`)}${narrow(SOCKETS.join(''))}`.replace(/ users:.*$/gm, ''));
  }, 240_000);

  it('shows what drivers say of the switch, the card and a virtual function of it, from whichever kernel', () => {
    const script = `ping -c 2 10.1.2.2 >/dev/null; cd /usr/sbin
      for i in vnet0 eth0 eth1; do ./ethtool -i $i; ./ethtool -S $i; ./ethtool $i; test $i = eth1 || ./ethtool -g $i; test $i = eth0 || ./ethtool -c $i; done
      ./ethtool -C eth1 rx-usecs 50; ./ethtool -c eth1 | grep rx-usecs:; ./ethtool -C eth1 tx-usecs 50; ./ethtool -S lo; ./ethtool -i nosuch`;
    const text = narrow(run(script, '--plan', '0-1+disk0+nic0+nic0.1;2-3', '--client', '--migrate-every', '200us'));
    const parts = text.split(/^(?=driver: )/m);
    expect(parts.map(part => /^driver: (.*)/.exec(part)?.[1])).toEqual(['shmtun', 'popcorn_nic', 'popcorn_nicvf']);
    for (const [part, lines] of [
      [
        parts[0],
        ['supports-statistics: yes', ' tx_ring_packets: 3', ' ports: 1', 'RX: 256', 'RX: 64', 'rx-usecs: 0', 'Link detected: yes'],
      ],
      [parts[1], ['bus-info: nic0', ' tx_packets: 0', 'TX: 32', 'Speed: 1000Mb/s', 'Duplex: Full', 'Link detected: yes']],
      [parts[2], ['bus-info: nic0.1', ' rx_packets: 0', 'rx-usecs: 20', 'Speed: Unknown!', 'Link detected: yes', 'rx-usecs: 50']],
    ] as const)
      for (const line of lines)
        expect(part?.split('\n').map(each => each.trimEnd().replace(/^\t/, ''))).toContainEqual(expect.stringContaining(line));
    // What there is nothing to say of is no error anywhere else.
    expect(text.match(/^.*(Cannot|netlink|not supported).*$/gm)).toEqual([
      'Cannot set device coalesce parameters: Operation not supported',
      'Cannot get stats strings information: Operation not supported',
      'Cannot get driver information: No such device',
    ]);
  }, 240_000);
});
