/** Times as the page writes them. */

/** `12.418 306 s`: groups of three, so that digits can be read from afar. */
export function clockText(seconds: number, digits: 6 | 9 = 6): string {
  const [whole = '0', fraction = ''] = seconds.toFixed(digits).split('.');
  return `${whole}.${fraction.replace(/(\d{3})(?=\d)/g, '$1 ')} s`;
}
