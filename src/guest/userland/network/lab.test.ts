/** The commands of the network on the lab's own kernel: over its loopback, and while every process moves from kernel to kernel. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const LAB = new URL('../../../cli/lab.mjs', import.meta.url).pathname;
const PAGE = readFileSync(new URL('../../root/var/www/index.html', import.meta.url), 'utf8');

function lab(script: string, ...options: string[]): string {
  const { stdout, stderr } = spawnSync(process.execPath, [LAB, 'exec', ...options, '--', '/bin/sh', '-c', script], {
    input: '',
    encoding: 'latin1',
    timeout: 200_000,
  });
  return stdout + stderr;
}

const counts = (count: number): string =>
  `Complete requests:      ${count}\nFailed requests:        0\nKeep-Alive requests:    ${count}\nHTML transferred:       ${count * PAGE.length} bytes\n`;

describe('in the lab', () => {
  it('a page is served, fetched and loaded, datagrams and echoes come back, bytes are measured', () => {
    const out = lab(`
      httpd -p 8080 -w 2
      sleep 0.01
      wget -q -O - http://localhost:8080/
      ab -q -k -n 60 -c 4 http://127.0.0.1:8080/index.html | grep -E '^(Complete|Failed|Keep|HTML)'
      killall httpd
      ping -q -c 2 -i 0.01 127.0.0.1 | grep transmitted
      (nc -u -l -w 0.2 7001 > /tmp/got &); sleep 0.05
      echo a datagram | nc -u -w 0.1 127.0.0.1 7001; sleep 0.3; cat /tmp/got
      (iperf -s -1 -p 5002 > /tmp/report &); sleep 0.05
      iperf -c 127.0.0.1 -p 5002 -n 256K > /dev/null; sleep 0.01; grep -c '256 KBytes' /tmp/report`);
    expect(out).toBe(`${PAGE}${counts(60)}2 packets transmitted, 2 received, 0% packet loss, time 10ms\na datagram\n1\n`);
  }, 210_000);

  it('what cannot begin, or go on, says so and ends', () => {
    const out = lab(
      `exec 2>&1
      for command in 'ping -c 1 8.8.8.8' 'ping 10.1.2.255' 'nc 8.8.8.8 80' 'wget -q http://8.8.8.8/' 'iperf -c 8.8.8.8' 'ab -q http://8.8.8.8/'; do
        $command; echo ended with $?
      done
      (sleep 0.25; ip link set vnet0 down) & ping -c 3 -i 0.2 10.1.2.2 | grep -v rtt; tcpdump -q -i vnet0; echo ended with $?
      (sleep 0.1; mv-dev nic0 1) & tcpdump -q -i eth0; echo ended with $?
      echo a datagram for nobody | nc -u 127.0.0.1 99; uptime`,
      '--plan',
      '0-1+nic0;2-3',
    );
    const unreachable = 'Network is unreachable';
    const first = [
      `ping: connect: ${unreachable}\nended with 2`,
      'ping: Do you want to ping broadcast? Then -b. If not, check your local firewall rules\nended with 2',
      `nc: connect to 8.8.8.8 port 80 (tcp) failed: ${unreachable}\nended with 1`,
      `wget: can't connect to remote host (8.8.8.8): ${unreachable}\nended with 1`,
      `iperf: connect failed: ${unreachable}\nended with 1`,
    ];
    expect(out.startsWith(`${first.join('\n')}\n`), out).toBe(true);
    expect(out).toContain(`Test aborted after 10 failures\n\napr_socket_connect(): ${unreachable} (101)\nended with 101\n`);
    expect(out).toContain(`icmp_seq=2 ttl=64 time=0.0`);
    expect(out).toContain(
      `\nping: sendmsg: ${unreachable}\n\n--- 10.1.2.2 ping statistics ---\n3 packets transmitted, 2 received, 33.3333% packet loss`,
    );
    expect(out).toContain('\ntcpdump: vnet0: That device is not up\nended with 1\n');
    expect(out).toContain('\ntcpdump: pcap_loop: The interface disappeared\n0 packets captured\n');
    // Nobody has waited for what cannot come.
    expect(out).toMatch(/ up [0-2] sec,/);
  }, 210_000);

  it('httpd and ab go on while they move', () => {
    const out = lab(
      `httpd -p 8080 -w 1
      sleep 0.01
      ab -q -k -n 20 -c 2 http://127.0.0.1:8080/index.html | grep -E '^(Complete|Failed|Keep|HTML)'
      killall httpd`,
      '--plan',
      'clustered',
      '--migrate-every',
      '1ms',
    );
    expect(out).toBe(counts(20));
  }, 210_000);
});
