/**
 * CRC-32C (Castagnoli), the checksum of record batches. The processor's own instruction where the native addon loads,
 * else eight tables that take eight bytes a step; both give the same.
 */
import { createRequire } from 'node:module'

/** Reversed. */
const POLYNOMIAL = 0x82f63b78
/** Below this the call into the addon takes longer than the work. Bytes. */
const NATIVE_BYTES_MIN = 256

type Native = (bytes: Uint8Array) => number

/** Tables n = 0 … 7, one after the other: what a byte does to the checksum when n more bytes follow it. */
const TABLES = makeTables()
const native = loadNative()

/** Over the bytes from `start` to before `end`; an unsigned 32-bit number. */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length): number {
  return native === undefined || end - start < NATIVE_BYTES_MIN
    ? crc32cInScript(bytes, start, end)
    : nativeCrc32c(native, bytes, start, end)
}

/** As `crc32c`, without the addon. */
export function crc32cInScript(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let crc = -1
  let at = start
  for (const last = end - 8; at <= last; at += 8) {
    crc ^=
      byte(bytes, at) | (byte(bytes, at + 1) << 8) | (byte(bytes, at + 2) << 16) | (byte(bytes, at + 3) << 24)
    crc =
      table(7, crc & 0xff) ^
      table(6, (crc >>> 8) & 0xff) ^
      table(5, (crc >>> 16) & 0xff) ^
      table(4, crc >>> 24) ^
      table(3, byte(bytes, at + 4)) ^
      table(2, byte(bytes, at + 5)) ^
      table(1, byte(bytes, at + 6)) ^
      table(0, byte(bytes, at + 7))
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ table(0, (crc ^ byte(bytes, at)) & 0xff)
  return ~crc >>> 0
}

/** Whether the addon is there. */
export function hasNativeCrc32c(): boolean {
  return native !== undefined
}

function nativeCrc32c(checksum: Native, bytes: Uint8Array, start: number, end: number): number {
  const whole = start === 0 && end === bytes.length
  return checksum(whole ? bytes : bytes.subarray(start, end)) >>> 0
}

/** The addon is an optional dependency: a platform without a build of it goes without. */
function loadNative(): Native | undefined {
  try {
    const addon = createRequire(import.meta.url)('@node-rs/crc32') as { crc32c: Native }
    return addon.crc32c
  } catch {
    return undefined
  }
}

function makeTables(): Int32Array {
  const tables = new Int32Array(8 * 256)
  for (let i = 0; i < 256; i++) {
    let crc = i
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL : 0)
    tables[i] = crc
  }
  for (let at = 256; at < tables.length; at++) {
    const before = tables[at - 256] ?? 0
    tables[at] = (before >>> 8) ^ (tables[before & 0xff] ?? 0)
  }
  return tables
}

function table(n: number, index: number): number {
  return TABLES[n * 256 + index] as number
}

function byte(bytes: Uint8Array, at: number): number {
  return bytes[at] as number
}
