/**
 * How a store's rows lie in the task's key range, and the envelope around every value.
 *
 *   value   prefix ∣ store 00 ∣ key
 *   about   prefix ∣ store 02   (`descriptor.ts`)
 *   index   prefix ∣ store 01 index 00 ∣ group 00 00 ∣ score, inverted (8) ∣ key
 *
 * Store and index names hold no byte below 20, so no two kinds and no two stores share a row; rows whose first byte after
 * the prefix is no small letter are free for others (positions, a ring of batches). Timers are a store of
 * their own whose index is the due time (`timers.ts`). An index row covers: it holds the value once more, so that the
 * first N rows of a group are one scan.
 *
 *   envelope   version of the value's schema (1) ∣ payload ∣ CRC-32 (4, big-endian)
 *
 * The checksum spans the key without the task's prefix, the version and the payload. LevelDB gives back damaged blocks
 * without an error more often than not; with the key inside, a value that strays under another key is found too.
 */
import { crc32 } from 'node:zlib'
import type { Entry, WriteOp } from './backend.ts'
import { StateError } from './errors.ts'

const versionBytes = 1
const checksumBytes = 4
export const envelopeBytes = versionBytes + checksumBytes

export function valueRowsPrefix(store: string): string {
  return `${store}\x00`
}

export function indexRowsPrefix(store: string, index: string): string {
  return `${store}\x01${index}\x00`
}

/** The key bytes and the enveloped value in one allocation. `row` is the key without the task's prefix. */
export function sealRow(
  prefix: Buffer,
  row: string,
  version: number,
  payload: Buffer,
): Extract<WriteOp, { type: 'put' }> {
  const start = prefix.length
  const keyEnd = start + row.length
  const checksumAt = keyEnd + versionBytes + payload.length
  const bytes = Buffer.allocUnsafe(checksumAt + checksumBytes)
  if (start > 0) bytes.set(prefix, 0)
  bytes.write(row, start, 'latin1')
  bytes[keyEnd] = version
  bytes.set(payload, keyEnd + versionBytes)
  bytes.writeUInt32BE(crc32(bytes.subarray(start, checksumAt)), checksumAt)
  return { type: 'put', key: bytes.subarray(0, keyEnd), value: bytes.subarray(keyEnd) }
}

/** A row's key with the task's prefix. */
export function rowKey(prefix: Buffer, row: string): Buffer {
  if (prefix.length === 0) return Buffer.from(row, 'latin1')
  const key = Buffer.allocUnsafe(prefix.length + row.length)
  key.set(prefix, 0)
  key.write(row, prefix.length, 'latin1')
  return key
}

/** Throws `STATE_CORRUPT` unless the envelope is whole and belongs to this key. */
export function verifyRow(store: string, prefixLength: number, { key, value }: Entry): void {
  const checksumAt = value.length - checksumBytes
  if (checksumAt >= versionBytes) {
    const ofKey = crc32(prefixLength === 0 ? key : key.subarray(prefixLength))
    if (crc32(value.subarray(0, checksumAt), ofKey) === value.readUInt32BE(checksumAt)) return
  }
  throw new StateError(
    'STATE_CORRUPT',
    `store ${store}, key ${key.toString('hex')}: the checksum does not match`,
  )
}

export function rowVersion(value: Buffer): number {
  return value[0] as number
}

export function rowPayload(value: Buffer): Buffer {
  return value.subarray(versionBytes, value.length - checksumBytes)
}
