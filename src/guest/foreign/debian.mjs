// Debian's packages for riscv64, through this machine's own apt: its mirror and its keys, lists kept apart from the system's. Everything is
// verified as apt always does; nothing is installed.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const CACHE = fileURLToPath(new URL('../../../node_modules/.cache/debian/', import.meta.url));
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
/** Releases that have riscv64, the one we mean first: the next ones stand in while a mirror is in the middle of an update. */
const RELEASES = ['trixie', 'forky', 'sid'];

/** Its output. @throws Error with the last thing it said */
function run(command, args, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', timeout: 180_000, ...options });
  if (status !== 0) throw new Error(error?.message ?? stderr.trim().split('\n').pop());
  return stdout;
}

/** The mirror that the system itself uses. @throws Error where it is no Debian */
function mirror() {
  const targets = run('apt-get', ['indextargets', '--format', '$(REPO_URI) $(COMPONENT) $(LABEL)', 'Created-By: Packages']).split('\n');
  const debian = targets.find(line => line.endsWith(' main Debian'));
  if (debian === undefined) throw new Error('the apt of this machine has no Debian mirror');
  return debian.split(' ')[0];
}

/** apt-get with lists and a cache of its own. */
function aptOf(release, uri) {
  const home = join(CACHE, release);
  for (const folder of ['lists/partial', 'cache/archives/partial', 'packages']) mkdirSync(join(home, folder), { recursive: true });
  writeFileSync(join(home, 'sources.list'), `deb [signed-by=${KEYRING}] ${uri} ${release} main\n`);
  writeFileSync(join(home, 'status'), '');
  const settings = [
    'APT::Architecture=riscv64',
    'APT::Architectures::=riscv64',
    `Dir::Etc::sourcelist=${home}/sources.list`,
    'Dir::Etc::sourceparts=/dev/null',
    `Dir::State::lists=${home}/lists`,
    `Dir::State::status=${home}/status`,
    `Dir::Cache=${home}/cache`,
    'APT::Sandbox::User=root',
  ];
  return {
    home,
    apt: (...args) => run('apt-get', [...settings.flatMap(each => ['-o', each]), '-q', ...args], { cwd: join(home, 'packages') }),
  };
}

/**
 * Packages with all that they need, as files.
 * @returns the paths of the packages, those that others need first, and the release
 * @throws Error saying why they are not to be had
 */
export function debianPackages(names) {
  const uri = mirror();
  const reasons = [];
  for (const release of RELEASES) {
    try {
      const { home, apt } = aptOf(release, uri);
      apt('update', '-o', 'APT::Update::Error-Mode=any');
      const wanted = ['install', '-y', '--no-install-recommends', ...names];
      apt(...wanted, '--download-only');
      // "Inst NAME (VERSION RELEASE [ARCHITECTURE]) …"; a colon in a version is %3a in the file's name.
      const found = [...apt(...wanted, '--simulate').matchAll(/^Inst (\S+) \((\S+) .*?\[(\w+)\]/gm)];
      const files = found.map(([, name, version, architecture]) =>
        join(home, 'cache/archives', `${name}_${version.replaceAll(':', '%3a')}_${architecture}.deb`),
      );
      return { files, release };
    } catch (error) {
      reasons.push(`${release}: ${error.message}`);
    }
  }
  throw new Error(`${names.join(', ')} for riscv64: ${reasons.join('; ')}`);
}

/**
 * Unpacks a package, once.
 * @returns the folder with its files and the release it is of
 * @throws Error saying why it is not to be had
 */
export function debianPackage(name) {
  const reasons = [];
  for (const release of RELEASES) {
    const folder = join(CACHE, release, 'unpacked', name);
    if (existsSync(folder)) return { folder, release };
  }
  const uri = mirror();
  for (const release of RELEASES) {
    try {
      return { folder: unpacked(name, aptOf(release, uri)), release };
    } catch (error) {
      reasons.push(`${release}: ${error.message}`);
    }
  }
  throw new Error(`${name} for riscv64 is not to be had: ${reasons.join('; ')}`);
}

function unpacked(name, { home, apt }) {
  apt('update', '-o', 'APT::Update::Error-Mode=any');
  apt('download', name);
  const packages = join(home, 'packages');
  const folder = join(home, 'unpacked', name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  run('dpkg-deb', [
    '-x',
    join(
      packages,
      readdirSync(packages).find(each => each.startsWith(`${name}_`)),
    ),
    folder,
  ]);
  return folder;
}
