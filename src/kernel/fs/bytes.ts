/** Names on disk are bytes. Here they are "binary strings": one character 0–255 a byte, so UTF-8 goes through untouched. */

export function toBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

export function fromBytes(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 4096) text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  return text;
}

export const u32At = (bytes: Uint8Array, at = 0): number =>
  ((bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24)) >>> 0;

export function setU32(bytes: Uint8Array, value: number, at = 0): void {
  for (let i = 0; i < 4; i++) bytes[at + i] = (value >>> (8 * i)) & 0xff;
}

/** The parts one after the other; a single one as it is. */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1 && parts[0] !== undefined) return parts[0];
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Little-endian 64-bit number; exact up to 2^53. */
export const u64At = (bytes: Uint8Array, at = 0): number => u32At(bytes, at) + u32At(bytes, at + 4) * 2 ** 32;

export function setU64(bytes: Uint8Array, value: number, at = 0): void {
  setU32(bytes, value % 2 ** 32, at);
  setU32(bytes, Math.floor(value / 2 ** 32), at + 4);
}

/** Text of the page (a machine's model, say) as the bytes that UTF-8 has for it, one character a byte. */
export const utf8 = (text: string): string =>
  encodeURIComponent(text.toWellFormed()).replace(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
