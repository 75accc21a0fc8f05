/**
 * Before exactly once is promised: whether this client, on this machine and with these libraries, reads and refuses what
 * it must. A native addon or a compression library that misbehaves here would not be noticed later.
 *
 * Not its job: what brokers can do (`broker-features.ts`).
 */
import type { Codec } from './batches/compression.ts'
import { decodeBatches } from './batches/decode.ts'
import { type BatchRecord, encodeBatch } from './batches/encode.ts'
import { ClusterError } from './errors.ts'

const CODECS: readonly (Codec | undefined)[] = [undefined, 'gzip', 'snappy', 'lz4', 'zstd']
const PRODUCER_ID = 7n
const RECORDS: readonly BatchRecord[] = Array.from({ length: 50 }, (_, i) => ({
  key: i % 5 === 0 ? null : Buffer.from(`key ${i}`),
  value: Buffer.from(`value ${i} `.repeat(20)),
  timestamp: 1_700_000_000_000 + i,
  headers: [['n', Buffer.from(String(i))]],
}))
const TOTAL_BYTES = 1024 * 1024
/** Less than the records are. */
const TOO_FEW_BYTES = 100

/** Throws `CLIENT_UNSOUND` naming the first check that fails. */
export function selfTest(): void {
  for (const codec of CODECS) {
    const name = codec ?? 'uncompressed'
    check(`${name} records come back as they were`, comeBack(codec))
    check(`a damaged ${name} batch is refused`, damageIsRefused(codec))
    if (codec !== undefined) check(`${name} data inflates within its limit only`, limitHolds(codec))
  }
  check('aborted records are not read', read(batchOf(undefined, true), true).records.length === 0)
  check('records of other transactions are', read(batchOf(undefined, true), false).records.length > 0)
}

function comeBack(codec: Codec | undefined): boolean {
  const { records, nextOffset, error } = read(batchOf(codec, false), false)
  const isSame = records.every(({ key, value, timestamp }, i) => {
    const expected = RECORDS[i]
    const isKey = key === null ? expected?.key === null : key.equals(expected?.key ?? Buffer.alloc(0))
    return isKey && value?.equals(expected?.value as Buffer) === true && timestamp === expected?.timestamp
  })
  return error === undefined && isSame && records.length === RECORDS.length && nextOffset === RECORDS.length
}

function damageIsRefused(codec: Codec | undefined): boolean {
  const batch = batchOf(codec, false)
  const at = batch.length - 2
  batch[at] = (batch[at] as number) ^ 0x10
  const { records, error } = read(batch, false)
  return records.length === 0 && error?.fault === 'checksum'
}

function limitHolds(codec: Codec): boolean {
  const { records, error } = read(batchOf(codec, false), false, TOO_FEW_BYTES)
  return records.length === 0 && error?.fault === 'too-large'
}

function batchOf(compression: Codec | undefined, transactional: boolean): Buffer {
  const stamp = { producerId: PRODUCER_ID, producerEpoch: 0, baseSequence: 0, transactional }
  return encodeBatch(RECORDS, { ...stamp, ...(compression === undefined ? {} : { compression }) })
}

function read(batch: Buffer, isAborted: boolean, maxInflatedBytes = TOTAL_BYTES) {
  return decodeBatches(batch, {
    fetchOffset: 0,
    readCommitted: true,
    abortedTransactions: isAborted ? [{ producerId: PRODUCER_ID, firstOffset: 0 }] : [],
    maxInflatedBytes,
  })
}

function check(what: string, holds: boolean): void {
  if (!holds) throw new ClusterError('CLIENT_UNSOUND', `not so: ${what}`)
}
