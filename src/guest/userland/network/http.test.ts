/** httpd, ab and wget: against each other, against Node's server and client, and ab's report against Debian's ab. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Guest, freePort, guestUnderQemu, until } from '../../testing.ts';

const guest = guestUnderQemu();
const hasAb = spawnSync('ab', ['-V']).error === undefined;
const BIG = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 2_654_435_761) >>> 24);

/** Sends bytes and collects what comes until the other side closes, or for so long. */
function talk(port: number, request: string, patience_ms = 3000): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(request, 'latin1'));
    let text = '';
    const timer = setTimeout(() => socket.destroy(), patience_ms);
    socket.setEncoding('latin1');
    socket.on('data', (piece: string) => {
      text += piece;
    });
    socket.on('error', reject);
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(text);
    });
  });
}

const get = (target: string, headers = 'Host: x\r\nConnection: close\r\n'): string => `GET ${target} HTTP/1.1\r\n${headers}\r\n`;
const statusOf = (answer: string): number => Number(answer.split(' ')[1]);

/** What a command of the host prints, while this process goes on. */
function host(command: string, args: readonly string[]): Promise<string> {
  return new Promise(resolve => {
    const child = spawn(command, args);
    let text = '';
    child.stdout.setEncoding('latin1').on('data', (piece: string) => {
      text += piece;
    });
    child.on('close', () => resolve(text));
  });
}

/** ab's report with what depends on time and on who printed it taken out: numbers, warnings, banner. */
const shapeOf = (report: string): string[] =>
  report
    .split('\n')
    .slice(report.split('\n').findIndex(line => line.startsWith('Server Software')))
    .filter(line => !/^(WARNING|ERROR|\s+These results|\s+deviation apart)/.test(line))
    .map(line => line.replace(/\d+(\.\d+)?/g, '#').replace(/ +#/g, ' #'));
const field = (report: string, name: string): string => new RegExp(`^${name}: +(.*)$`, 'm').exec(report)?.[1] ?? '';

describe.skipIf(guest === null)('the web programs (skipped without qemu-user)', () => {
  const { folder } = guest ?? { folder: '' };
  let port = 0;
  let log = '';
  let server: ReturnType<Guest['start']>;

  beforeAll(async () => {
    const www = join(folder, 'www');
    mkdirSync(join(www, 'sub'), { recursive: true });
    mkdirSync(join(www, 'list/inner'), { recursive: true });
    writeFileSync(join(www, 'index.html'), 'hello\n');
    writeFileSync(join(www, 'sub/index.html'), 'sub\n');
    writeFileSync(join(www, 'list/a <b>.css'), 'a {}\n');
    writeFileSync(join(www, 'big.bin'), BIG);
    writeFileSync(join(folder, 'secret'), 'secret\n');
    symlinkSync('../secret', join(www, 'link'));
    symlinkSync('..', join(www, 'up'));
    spawnSync('mkfifo', [join(www, 'pipe')]);
    port = await freePort();
    server = (guest as Guest).start(['httpd', '-f', '-v', '-p', `127.0.0.1:${port}`, '-h', www, '-w', '3']);
    server.stderr?.setEncoding('latin1').on('data', (text: string) => {
      log += text;
    });
    await until(() =>
      talk(port, get('/')).then(
        () => true,
        () => false,
      ),
    );
  });
  afterAll(() => guest?.end());

  describe('httpd', () => {
    it('serves a file with its type, length and date', async () => {
      const answer = await talk(port, get('/index.html'));
      expect(answer).toMatch(
        /^HTTP\/1\.1 200 OK\r\nServer: popcorn-httpd\r\nDate: .* GMT\r\nLast-Modified: .* GMT\r\nContent-Type: text\/html\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n$/,
      );
      const date = /Last-Modified: (.*)\r/.exec(answer)?.[1];
      expect(statusOf(await talk(port, get('/', `Host: x\r\nConnection: close\r\nIf-Modified-Since: ${date}\r\n`)))).toBe(304);
    });
    it('serves the bytes of a large one', async () => {
      const answer = await talk(port, get('/big.bin'));
      expect(Buffer.from(answer.slice(answer.indexOf('\r\n\r\n') + 4), 'latin1').equals(BIG)).toBe(true);
      expect(answer).toContain('Content-Type: application/octet-stream\r\n');
    });
    it('keeps a connection, takes requests that came together, and lets go of HTTP/1.0', async () => {
      const together = await talk(port, `HEAD / HTTP/1.1\r\nHost: x\r\n\r\nGET /sub/ HTTP/1.1\r\nHost: x\r\n\r\n${get('/none')}`);
      expect(together.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 200', 'HTTP/1.1 404']);
      expect(together).toContain('Content-Length: 6\r\nConnection: keep-alive\r\n\r\nHTTP/1.1');
      const old = await talk(port, 'GET / HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\n\r\n');
      expect(old.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200']);
    });
    it('lets nobody out of its folder', async () => {
      for (const [target, status] of [
        ['/../secret', 400],
        ['/sub/../../secret', 400],
        ['/%2e%2e/secret', 400],
        ['/..%2fsecret', 400],
        ['/sub/../index.html', 200],
        ['/.//./index.html', 200],
        ['/link', 403],
        ['/up/secret', 404],
        ['/pipe', 403],
        ['/index.html/', 404],
        ['/index.html%00.txt', 400],
        ['/%zz', 400],
        [`/${'a'.repeat(300)}`, 414],
        [`/${'a'.repeat(5000)}`, 414],
        ['http://x/index.html', 200],
        ['nothing', 400],
      ] as const) {
        const answer = await talk(port, get(target));
        expect(`${target.slice(0, 30)} ${statusOf(answer)}`).toBe(`${target.slice(0, 30)} ${status}`);
        expect(answer).not.toContain('secret\n');
      }
    });
    it('refuses what is no request', async () => {
      for (const [request, status] of [
        ['POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello', 405],
        ['DELETE / HTTP/1.0\r\n\r\n', 405],
        ['GET / HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
        ['GET /\r\n\r\n', 400],
        ['GET / HTTP/2.0\r\n\r\n', 505],
        ['\x16\x03\x01\x02\x00\x01\n\n', 400],
        [`GET / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(5000)}\r\n\r\n`, 431],
        ['GET /a\0b HTTP/1.0\r\n\r\n', 400],
      ] as const)
        expect(`${request.slice(0, 20)} ${statusOf(await talk(port, request))}`).toBe(`${request.slice(0, 20)} ${status}`);
      expect(await talk(port, 'POST / HTTP/1.0\r\n\r\n')).toContain('Allow: GET, HEAD\r\n');
    });
    it('shows a folder, and sends those on who forget its slash', async () => {
      const page = await talk(port, get('/list/'));
      expect(page).toContain('<a href="a%20%3Cb%3E.css">a &lt;b&gt;.css</a>\n<a href="inner/">inner/</a>\n');
      const moved = await talk(port, get('/list'));
      expect(statusOf(moved)).toBe(301);
      expect(moved).toContain('Location: /list/\r\n');
    });
    it('writes a log, in which nobody can forge a line', async () => {
      await talk(port, 'GET /"x\x1b HTTP/1.0\r\n\r\n');
      await until(() => log.includes('/?x?'));
      expect(log).toMatch(/^127\.0\.0\.1 - - \[\d\d\/\w{3}\/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET \/ HTTP\/1\.1" 200 6$/m);
    });
  });

  describe('ab', () => {
    const url = (): string => `http://127.0.0.1:${port}/index.html`;

    it('counts requests over connections of their own and kept ones', async () => {
      const apart = (await (guest as Guest).finish(['ab', '-n', '60', '-c', '7', url()])).stdout;
      expect(field(apart, 'Complete requests')).toBe('60');
      expect(field(apart, 'Failed requests')).toBe('0');
      expect(field(apart, 'HTML transferred')).toBe('360 bytes');
      expect(field(apart, 'Server Software')).toBe('popcorn-httpd');
      const kept = await (guest as Guest).finish(['ab', '-k', '-n', '400', '-c', '16', '-H', 'X-Test: 1', url()]);
      expect(field(kept.stdout, 'Keep-Alive requests')).toBe('400');
      expect(field(kept.stdout, 'Failed requests')).toBe('0');
      expect(kept.stderr).toBe(
        'Completed 100 requests\nCompleted 200 requests\nCompleted 300 requests\nCompleted 400 requests\nFinished 400 requests\n',
      );
    });
    it.skipIf(!hasAb)("prints Debian's report line by line, but for the figures (skipped without ab)", async () => {
      for (const options of [
        ['-q', '-n', '50', '-c', '3'],
        ['-q', '-k', '-n', '50', '-c', '3'],
        ['-q', '-n', '1'],
        ['-q', '-n', '10', '-d'],
        ['-q', '-n', '10', '-S', '-l'],
        ['-q', '-i', '-n', '10'],
      ]) {
        const own = (await (guest as Guest).finish(['ab', ...options, url()])).stdout;
        const debian = await host('ab', [...options, url()]);
        expect(shapeOf(own)).toEqual(shapeOf(debian));
        for (const name of ['Complete requests', 'Failed requests', 'Total transferred', 'HTML transferred', 'Document Length'])
          expect(`${name} ${field(own, name)}`).toBe(`${name} ${field(debian, name)}`);
      }
    });
    it('says so when nobody listens, and when what it is asked is nonsense', async () => {
      const closed = await freePort();
      const refused = await (guest as Guest).finish(['ab', '-n', '3', `http://127.0.0.1:${closed}/`]);
      expect(refused.status).toBe(111);
      expect(refused.stderr).toBe('apr_socket_recv: Connection refused (111)\n');
      for (const args of [['-n', '5', '-c', '10', url()], ['-n', 'x', url()], ['-n', '5', 'nowhere'], ['-n', '5'], ['ftp://x/']])
        expect((guest as Guest).run(['ab', ...args]).status).not.toBe(0);
    });
    it('ends in time with -t', async () => {
      const { stdout } = await (guest as Guest).finish(['ab', '-q', '-t', '1', url()]);
      expect(Number(field(stdout, 'Time taken for tests').split(' ')[0])).toBeGreaterThanOrEqual(1);
      expect(Number(field(stdout, 'Time taken for tests').split(' ')[0])).toBeLessThan(2);
      expect(Number(field(stdout, 'Complete requests'))).toBeGreaterThan(10);
    });
  });

  describe("against Node's server", () => {
    let node: Server;
    let nodePort = 0;
    let count = 0;
    beforeAll(async () => {
      nodePort = await freePort();
      node = createServer((request, response) => {
        count++;
        if (request.url === '/chunks') {
          response.write('one\n');
          response.write(BIG);
          response.end('end\n');
        } else if (request.url === '/moved') response.writeHead(302, { Location: '/chunks' }).end();
        else if (request.url === '/sizes') response.end('x'.repeat(count % 3));
        else if (request.url === '/teapot') response.writeHead(418).end('short and stout');
        else response.writeHead(200, { 'Content-Length': 6 }).end('hello\n');
      });
      await new Promise<void>(resolve => node.listen(nodePort, '127.0.0.1', resolve));
    });
    afterAll(() => node.close());

    it('ab asks as often as it says, and counts lengths that differ and answers that are none', async () => {
      count = 0;
      const { stdout } = await (guest as Guest).finish(['ab', '-q', '-n', '50', '-c', '5', `http://127.0.0.1:${nodePort}/`]);
      expect(field(stdout, 'Complete requests')).toBe('50');
      expect(count).toBeGreaterThanOrEqual(50);
      const sizes = (await (guest as Guest).finish(['ab', '-q', '-n', '30', `http://127.0.0.1:${nodePort}/sizes`])).stdout;
      expect(field(sizes, 'Failed requests')).toBe('20');
      expect(sizes).toContain('   (Connect: 0, Receive: 0, Length: 20, Exceptions: 0)\n');
      const teapot = (await (guest as Guest).finish(['ab', '-q', '-n', '4', `http://127.0.0.1:${nodePort}/teapot`])).stdout;
      expect(field(teapot, 'Non-2xx responses')).toBe('4');
    });
    it('wget follows, joins chunks, and saves', async () => {
      const { status } = await (guest as Guest).finish(['wget', '-q', '-O', 'got', `http://127.0.0.1:${nodePort}/moved`]);
      expect(status).toBe(0);
      expect(readFileSync(join(folder, 'got')).equals(Buffer.concat([Buffer.from('one\n'), BIG, Buffer.from('end\n')]))).toBe(true);
    });
    it('wget says what is wrong', async () => {
      const teapot = await (guest as Guest).finish(['wget', `http://127.0.0.1:${nodePort}/teapot`]);
      expect(teapot).toMatchObject({ status: 1, stdout: '' });
      expect(teapot.stderr).toContain("wget: server returned error: HTTP/1.1 418 I'm a Teapot\n");
      for (const url of ['http://no.such.host/', 'ftp://x/', 'http://:80/', `http://127.0.0.1:${nodePort}99/`])
        expect((guest as Guest).run(['wget', '-q', url]).status).toBe(1);
    });
  });

  it('wget -S shows the head, and a file is not overwritten', async () => {
    const first = await (guest as Guest).finish(['wget', '-S', `127.0.0.1:${port}/big.bin`]);
    expect(first.stderr).toContain('  HTTP/1.1 200 OK\n  Server: popcorn-httpd\n');
    expect(readFileSync(join(folder, 'big.bin')).equals(BIG)).toBe(true);
    expect((await (guest as Guest).finish(['wget', `127.0.0.1:${port}/big.bin`])).stderr).toContain("can't open 'big.bin': File exists");
    rmSync(join(folder, 'big.bin'));
  });

  it('httpd ends with all its workers', async () => {
    server.kill('SIGTERM');
    await until(() => server.exitCode !== null || server.signalCode !== null);
    await until(() =>
      talk(port, get('/')).then(
        () => false,
        () => true,
      ),
    );
  });
});
