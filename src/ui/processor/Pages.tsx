/**
 * Who holds the pages that kernels share: of the chosen process, whose threads compute on several of them, and of memory that processes on several
 * kernels map. A column for each kernel; M it may write, S it may read, nothing: it would have to ask.
 */
import type { PageGroup, SharedPage } from '../../lab/trace/pages.ts';
import { KernelDot } from '../KernelDot.tsx';
import { kernelName, kernelStyle } from '../kernels.ts';
import { useLab } from '../store.ts';

/** Pages that are shown of a group: those that changed hands last. */
const SHOWN = 200;

export function Pages({ pid, kernel }: { pid: number | null; kernel: number }) {
  useLab(s => s.tick);
  const trace = useLab(s => s.session?.trace);
  const groups = trace?.shared.groups(pid, kernel) ?? [];
  const away = pid === null ? [] : (trace?.shared.awayOf(pid) ?? []);
  if (groups.length === 0 && away.length === 0) return null;
  return (
    <section className="pages" aria-label="Pages that kernels share">
      {away.length > 0 && (
        <p className="pages-threads">
          {away.map(({ tid, kernel: where }) => (
            <span key={tid}>
              thread {tid} on <KernelDot kernel={where} />
            </span>
          ))}
        </p>
      )}
      {groups.map(group => (
        <Group key={`${group.home}/${group.pid ?? ''}/${group.object ?? ''}`} group={group} />
      ))}
    </section>
  );
}

function Group({ group }: { group: PageGroup }) {
  const all = [...group.pages.values()];
  const shown = [...all].sort((a, b) => b.since - a.since || a.page - b.page).slice(0, SHOWN);
  const kernels = [...new Set([group.home, ...all.flatMap(({ holders }) => holders)])].sort((a, b) => a - b);
  const what = group.pid === null ? `Shared memory ${group.object ?? ''}` : `Process ${group.pid}`;
  return (
    <table>
      <caption>
        {what}, home {kernelName(group.home)}: {all.length === 1 ? '1 page' : `${all.length} pages`} shared
      </caption>
      <thead>
        <tr>
          <th scope="col">{group.pid === null ? 'page' : 'address'}</th>
          {kernels.map(kernel => (
            <th key={kernel} scope="col">
              <KernelDot kernel={kernel} />
            </th>
          ))}
          <th scope="col" title="How often it has changed hands">
            changes
          </th>
        </tr>
      </thead>
      <tbody>
        {shown
          .sort((a, b) => a.page - b.page)
          .map(page => (
            <tr key={page.page} data-state={page.state}>
              <th scope="row">{group.pid === null ? page.page : (page.page * 4096).toString(16)}</th>
              {kernels.map(kernel => (
                <Holding key={kernel} page={page} kernel={kernel} />
              ))}
              <td>{page.changes}</td>
            </tr>
          ))}
      </tbody>
    </table>
  );
}

const MEANING = { M: 'may write it', S: 'may read it', L: 'lost' } as const;

function Holding({ page, kernel }: { page: SharedPage; kernel: number }) {
  const holds = page.holders.includes(kernel);
  const letter = page.state === 'L' ? 'L' : holds ? page.state : '';
  return (
    <td>
      {letter !== '' && (
        <span className="holding" data-letter={letter} style={kernelStyle(kernel)} title={`${kernelName(kernel)} ${MEANING[letter]}`}>
          {letter}
        </span>
      )}
    </td>
  );
}
