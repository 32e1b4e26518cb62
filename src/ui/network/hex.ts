/** Bytes for people. */

const isPlain = (byte: number): boolean => byte >= 32 && byte < 127;

/** As `hexdump -C` has them. */
export function hexText(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const part = [...bytes.subarray(at, at + 16)];
    const hex = part.map(byte => byte.toString(16).padStart(2, '0'));
    const text = part.map(byte => (isPlain(byte) ? String.fromCharCode(byte) : '.')).join('');
    const columns = `${hex.slice(0, 8).join(' ')}  ${hex.slice(8).join(' ')}`;
    lines.push(`${at.toString(16).padStart(4, '0')}  ${columns.padEnd(48)}  ${text}`);
  }
  return lines.join('\n');
}

/** Lines of text stay lines; what is no text is a dot each. */
export function plainText(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte === 13 && bytes[at + 1] === 10) continue;
    text += isPlain(byte) || byte === 10 || byte === 9 ? String.fromCharCode(byte) : '.';
  }
  return text;
}
