/**
 * Builds the guest: the C sources of this folder become one initramfs, public/initramfs.cpio.gz, that every kernel boots from.
 *
 *   node src/guest/build.mjs            compile, pack, write the archive
 *   node src/guest/build.mjs --check    compile, pack, compare with the committed archive; exit 1 if a byte differs
 *   node src/guest/build.mjs --tree DIR compile, and lay the files out in DIR instead (to try them in a chroot)
 *
 * The archive is a function of the sources and the compiler's version: no times, owners, paths or build ids get into it.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';

const guest = dirname(fileURLToPath(import.meta.url));
const archivePath = join(guest, '../../public/initramfs.cpio.gz');
const compiler = 'riscv64-linux-gnu-gcc';
const compilerPackage = 'gcc-riscv64-linux-gnu';

/** The test that is linked as a static-pie, so that the loader's path for those is exercised as well. */
const positionIndependentTest = 'static_pie';

function fail(message) {
  console.error(`guest: ${message}`);
  process.exit(1);
}

function run(command, args) {
  const result = spawnSync(command, args, { cwd: guest, encoding: 'utf8', env: { ...process.env, LC_ALL: 'C', SOURCE_DATE_EPOCH: '0' } });
  if (result.error?.code === 'ENOENT') fail(`${command} is missing; on Debian or Ubuntu: apt-get install ${compilerPackage}`);
  if (result.error) fail(`${command}: ${result.error.message}`);
  if (result.status !== 0) fail(`${command} ${args.join(' ')}\n${result.stderr}`);
  if (result.stderr) process.stderr.write(result.stderr);
  return result.stdout;
}

// ---- Compiling -----------------------------------------------------------------------------------------------------

const compileFlags = [
  ...['-std=gnu11', '-O2', '-march=rv64gc', '-mabi=lp64d', '-Wall', '-Wextra'],
  ...['-ffreestanding', '-fno-stack-protector', '-fno-asynchronous-unwind-tables', '-fno-tree-loop-distribute-patterns', '-fno-ident'],
  ...['-fno-guess-branch-probability', '-g0', '-nostdinc', '-Ilibc/include'],
];
const linkFlags = [
  ...[
    '-nostdlib',
    '-nostartfiles',
    '-Wl,--strip-debug',
    '-Wl,--discard-all',
    '-Wl,--build-id=none',
    '-Wl,-z,norelro',
    '-Wl,-z,noexecstack',
    '-Wl,--gc-sections',
  ],
];

const sources = (folder, extension) =>
  readdirSync(join(guest, folder))
    .filter(name => name.endsWith(extension))
    .sort()
    .map(name => `${folder}/${name}`);

function compile(files, folder, extraFlags) {
  const builtinHeaders = run(compiler, ['-print-file-name=include']).trim();
  return files.map(file => {
    const object = join(folder, `${file.replaceAll('/', '-')}.o`);
    run(compiler, [
      ...compileFlags,
      ...extraFlags,
      '-isystem',
      builtinHeaders,
      '-ffunction-sections',
      '-fdata-sections',
      '-c',
      file,
      '-o',
      object,
    ]);
    return object;
  });
}

function link(objects, output, extraFlags) {
  run(compiler, [...linkFlags, ...extraFlags, ...objects, '-o', output]);
  return readFileSync(output);
}

/** Every program of the archive: its path there, and its bytes. */
function buildPrograms(folder) {
  const libraryFiles = [...sources('libc', '.S'), ...sources('libc', '.c')];
  const library = compile(libraryFiles, folder, []);
  const programs = new Map();

  const userland = compile([...sources('userland', '.c'), ...sources('userland/network', '.c')], folder, []);
  programs.set('usr/bin/popcorn', link([...library, ...userland], join(folder, 'popcorn'), ['-static', '-no-pie']));

  const pieFolder = join(folder, 'pie');
  mkdirSync(pieFolder);
  for (const file of sources('tests', '.c')) {
    const name = basename(file, '.c');
    const output = join(folder, `test-${name}`);
    const bytes =
      name === positionIndependentTest
        ? link(compile([...libraryFiles, file], pieFolder, ['-fPIE']), output, ['-static-pie', '-Wl,-pie,--no-dynamic-linker,-z,text'])
        : link([...library, ...compile([file], folder, [])], output, ['-static', '-no-pie']);
    programs.set(`usr/lib/tests/${name}`, bytes);
  }
  return programs;
}

/** Folders that are links into /usr, as distributions have them now: packages lay their files there. */
const MERGED = ['bin', 'sbin', 'lib'];
const merged = path => (MERGED.includes(path.split('/')[0]) ? `usr/${path}` : path);

/** The names under which popcorn answers, read from its own table: APPLET(name, "bin"...). */
function appletLinks() {
  const table = readFileSync(join(guest, 'userland/applets.def'), 'utf8');
  return [...table.matchAll(/^APPLET\("([^"]+)",\s*\w+,\s*"([^"]+)"/gm)].map(([, name, folder]) => merged(`${folder}/${name}`));
}

// ---- The tree ------------------------------------------------------------------------------------------------------

const FILE = 0o100000;
const DIRECTORY = 0o040000;
const LINK = 0o120000;

/** path → { mode, data }; every folder of every path is there. */
function buildTree() {
  const tree = new Map();
  const addDirectory = (path, permissions = 0o755) => {
    if (path === '' || path === '.') return;
    if (!tree.has(path)) {
      addDirectory(dirname(path));
      tree.set(path, { mode: DIRECTORY | permissions, data: Buffer.alloc(0) });
    }
  };
  const add = (path, mode, data) => {
    addDirectory(dirname(path));
    tree.set(path, { mode, data });
  };

  for (const path of ['usr/bin', 'usr/sbin', 'usr/lib', 'etc', 'dev', 'proc', 'sys', 'mnt', 'var/log', 'home', 'run']) addDirectory(path);
  for (const path of MERGED) add(path, LINK | 0o777, Buffer.from(`usr/${path}`));
  addDirectory('tmp', 0o1777);
  addDirectory('root', 0o700);

  const scratch = mkdtempSync(join(tmpdir(), 'guest-'));
  try {
    for (const [path, bytes] of buildPrograms(scratch)) add(path, FILE | 0o755, bytes);
  } finally {
    rmSync(scratch, { recursive: true });
  }
  for (const path of appletLinks()) add(path, LINK | 0o777, Buffer.from('/usr/bin/popcorn'));
  add('init', LINK | 0o777, Buffer.from('/usr/bin/popcorn'));

  const skeleton = join(guest, 'root');
  const visit = folder => {
    for (const name of readdirSync(folder).sort()) {
      const path = join(folder, name);
      if (statSync(path).isDirectory()) visit(path);
      else {
        const data = readFileSync(path);
        add(relative(skeleton, path).replaceAll('\\', '/'), FILE | (data.subarray(0, 2).toString() === '#!' ? 0o755 : 0o644), data);
      }
    }
  };
  visit(skeleton);
  return tree;
}

// ---- The archive ---------------------------------------------------------------------------------------------------

/** cpio in the "newc" form that Linux unpacks: sorted by path, so that a folder comes before what is in it. */
function pack(tree) {
  const pieces = [];
  const padded = bytes => Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
  const entry = (path, { mode, data }, inode) => {
    const links = (mode & 0o170000) === DIRECTORY ? 2 : 1;
    const fields = [inode, mode, 0, 0, links, 0, data.length, 0, 0, 0, 0, path.length + 1, 0];
    const header = `070701${fields.map(field => field.toString(16).padStart(8, '0').toUpperCase()).join('')}`;
    pieces.push(padded(Buffer.from(`${header}${path}\0`)), padded(data));
  };
  const paths = [...tree.keys()].sort((a, b) => (a < b ? -1 : 1));
  paths.forEach((path, index) => entry(path, tree.get(path), index + 1));
  entry('TRAILER!!!', { mode: 0, data: Buffer.alloc(0) }, 0);
  return Buffer.concat(pieces);
}

function compress(bytes) {
  const packed = gzipSync(bytes, { level: 9 });
  packed.writeUInt32LE(0, 4); // time of modification: none
  packed[9] = 3; // operating system: Unix, on every host
  return packed;
}

function layOut(tree, folder) {
  mkdirSync(folder, { recursive: true });
  for (const path of [...tree.keys()].sort()) {
    const { mode, data } = tree.get(path);
    const target = join(folder, path);
    if ((mode & 0o170000) === DIRECTORY) mkdirSync(target, { recursive: true });
    else if ((mode & 0o170000) === LINK) symlinkSync(data.toString(), target);
    else writeFileSync(target, data);
    if ((mode & 0o170000) !== LINK) chmodSync(target, mode & 0o7777);
  }
}

// ---- The command ---------------------------------------------------------------------------------------------------

const [action, folder] = process.argv.slice(2);
const tree = buildTree();
const archive = pack(tree);

if (action === '--tree') {
  if (!folder) fail('--tree needs a folder');
  layOut(tree, folder);
} else if (action === '--check') {
  let committed;
  try {
    committed = gunzipSync(readFileSync(archivePath));
  } catch (error) {
    fail(`public/initramfs.cpio.gz cannot be read (${error.message}); run npm run guest`);
  }
  // Compared unpacked: the archive's bytes are this project's, those of deflate are the host's zlib.
  if (!committed.equals(archive)) {
    const version = run(compiler, ['--version']).split('\n')[0];
    fail(
      `public/initramfs.cpio.gz differs from what the sources build (compiler here: ${version}); run npm run guest and commit the result`,
    );
  }
  console.log(`guest: public/initramfs.cpio.gz is what the sources build (${tree.size} files)`);
} else if (action === undefined) {
  mkdirSync(dirname(archivePath), { recursive: true });
  const packed = compress(archive);
  writeFileSync(archivePath, packed);
  console.log(`guest: public/initramfs.cpio.gz: ${tree.size} files, ${archive.length} bytes, ${packed.length} packed`);
} else fail(`unknown option ${action}`);
