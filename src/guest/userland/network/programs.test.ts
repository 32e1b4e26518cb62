/** ping, nc, iperf and those that show tables, on the loopback of this host. */
import { spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { afterAll, describe, expect, it } from 'vitest';
import { type Guest, freePort, guestUnderQemu, isThere, until } from '../../testing.ts';

const guest = guestUnderQemu();
const run = (...args: string[]): ReturnType<Guest['run']> => (guest as Guest).run(args);
const finish = (args: readonly string[], input?: string): ReturnType<Guest['finish']> => (guest as Guest).finish(args, input);
/** What a command of the host prints, or null where it is missing. */
const host = (command: string, ...args: string[]): string | null =>
  isThere(command) ? spawnSync(command, args, { encoding: 'latin1' }).stdout : null;

const mayPing = guest !== null && run('ping', '-c', '1', '-W', '1', '127.0.0.1').status === 0;
if (guest && !mayPing) process.stderr.write('skipped: no right to send ICMP here\n');

describe.skipIf(guest === null)('the programs of the network (skipped without qemu-user)', () => {
  afterAll(() => guest?.end());

  describe.skipIf(!mayPing)('ping', () => {
    it('prints as iputils does', () => {
      const shape = (text: string): string[] =>
        text.split('\n').map(line => line.replace(/[\d.]+\/[\d.]+\/[\d.]+\/[\d.]+/, '#').replace(/\d+(\.\d+)? ?ms/g, '# ms'));
      const own = run('ping', '-c', '3', '-i', '0.05', '-s', '100', 'localhost');
      expect(own.status).toBe(0);
      const lines = shape(own.stdout);
      expect(lines[0]).toBe('PING localhost (127.0.0.1) 100(128) bytes of data.');
      expect(lines[3]).toBe('108 bytes from localhost (127.0.0.1): icmp_seq=3 ttl=64 time=# ms');
      const numeric = ['-n', '-c', '2', '-i', '0.2', '127.0.0.1'];
      const debian = host('ping', ...numeric);
      if (debian?.startsWith('PING')) expect(shape(run('ping', ...numeric).stdout)).toEqual(shape(debian));
    });
    it('floods, and takes odd sizes', () => {
      expect(run('ping', '-f', '-q', '-c', '50', '127.0.0.1').stdout).toContain('50 packets transmitted, 50 received, 0% packet loss');
      for (const size of ['0', '7', '60000']) expect(run('ping', '-c', '1', '-s', size, '127.0.0.1').status).toBe(0);
    });
  });
  it('ping says what it does not understand', () => {
    expect(run('ping', 'no.such.host')).toMatchObject({ status: 2, stderr: 'ping: no.such.host: Name or service not known\n' });
    for (const args of [[], ['-c', 'x', 'localhost'], ['-s', '70000', 'localhost']]) expect(run('ping', ...args).status).toBeGreaterThan(0);
  });

  describe('nc', () => {
    it('talks both ways with Node', async () => {
      const port = await freePort();
      const text = 'line\n'.repeat(100_000);
      const server = createServer({ allowHalfOpen: true }, socket => {
        let got = '';
        socket.setEncoding('latin1').on('data', (piece: string) => {
          got += piece;
        });
        socket.on('end', () => socket.end(got.toUpperCase(), 'latin1'));
      });
      await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve));
      const { stdout } = await finish(['nc', '127.0.0.1', String(port)], text);
      server.close();
      expect(stdout === text.toUpperCase()).toBe(true);
    });
    it('talks with itself, over TCP and UDP', async () => {
      const port = String(await freePort());
      const listening = finish(['nc', '-l', '-v', '-p', port], 'from the server\n');
      await until(() => run('netstat', '-tln').stdout.includes(`:${port} `));
      const called = await finish(['nc', '-v', '127.0.0.1', port], 'from the client\n');
      expect(called.stdout).toBe('from the server\n');
      expect(called.stderr).toBe(`Connection to 127.0.0.1 ${port} port [tcp/*] succeeded!\n`);
      const listened = await listening;
      expect(listened.stdout).toBe('from the client\n');
      expect(listened.stderr).toMatch(new RegExp(`^Listening on 0.0.0.0 ${port}\nConnection received on 127.0.0.1 \\d+\n$`));
      const bound = finish(['nc', '-u', '-l', '-w', '1', port]);
      await until(() => run('netstat', '-uln').stdout.includes(`:${port} `));
      await finish(['nc', '-u', '-w', '0.2', '127.0.0.1', port], 'datagram\n');
      expect((await bound).stdout).toBe('datagram\n');
    });
    it('scans', async () => {
      const port = await freePort();
      const server = createServer(socket => socket.destroy());
      await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve));
      const open = await finish(['nc', '-z', '127.0.0.1', String(port)]);
      server.close();
      expect(open.status).toBe(0);
      expect((await finish(['nc', '-z', '127.0.0.1', String(await freePort())])).status).toBe(1);
      expect(run('nc', '127.0.0.1', '70000').status).toBe(1);
    });
  });

  it('iperf measures TCP', async () => {
    const port = String(await freePort());
    const server = finish(['iperf', '-s', '-1', '-p', port]);
    await until(() => run('ss', '-tln').stdout.includes(`:${port} `));
    const client = await finish(['iperf', '-c', '127.0.0.1', '-p', port, '-n', '4M', '-P', '2']);
    expect(client.stdout).toMatch(/\[SUM\] 0\.0000-[\d.]+ sec {2}8\.00 MBytes /);
    expect((await server).stdout.match(/ sec {2}4\.00 MBytes /g)).toHaveLength(2);
  });
  it('iperf measures UDP, and both sides agree', async () => {
    const port = String(await freePort());
    const server = finish(['iperf', '-s', '-u', '-1', '-p', port]);
    await until(() => run('ss', '-uln').stdout.includes(`:${port} `));
    const client = await finish(['iperf', '-c', '127.0.0.1', '-u', '-p', port, '-t', '0.3', '-b', '4m']);
    const sent = /Sent (\d+) datagrams/.exec(client.stdout)?.[1];
    expect(client.stdout).toMatch(new RegExp(`Server Report:[^]* \\d+/${sent} \\(`));
    expect((await server).stdout).toContain(`/${sent} (`);
  });

  it('the tables of this host are as others print them', () => {
    const lo = host('ip', 'link', 'show', 'lo');
    if (lo) expect(run('ip', 'link', 'show', 'lo').stdout).toBe(lo);
    expect(run('ip', 'addr', 'show', 'lo').stdout).toContain('    inet 127.0.0.1/8 scope host lo\n');
    const routes = host('ip', '-4', 'route');
    if (routes !== null) expect(run('ip', 'route').stdout).toBe(routes);
    const ifconfig = host('ifconfig', 'lo');
    const figures = (text: string): string[] =>
      text
        .split('\n')
        .filter(line => !line.includes('inet6'))
        .map(line => line.replace(/(packets|bytes) .*/, ''));
    if (ifconfig) expect(figures(run('ifconfig', 'lo').stdout)).toEqual(figures(ifconfig));
    const table = host('route', '-n');
    if (table) expect(run('route', '-n').stdout).toBe(table);
    expect(run('netstat', '-tan').stdout).toMatch(
      /^Active Internet connections \(servers and established\)\nProto Recv-Q Send-Q Local Address/,
    );
    for (const args of [
      ['ip', 'nonsense'],
      ['ip', 'addr', 'add', '1.2.3'],
      ['ifconfig', 'nodevice'],
      ['ethtool', '-S', 'nodevice'],
      ['route', 'add'],
      ['arp', '-d'],
    ])
      expect(run(...args).status).toBeGreaterThan(0);
  });
});
