/**
 * Bytes of the small rows beside the log: checkpoints, journals, bounds, what a batch noted of its log rows, and JSON.
 * Each begins with a CRC-32 over its key and the rest, because the database hands out flipped bits without a word.
 */
import { crc32 } from 'node:zlib'
import {
  type BatchJournal,
  type Checkpoint,
  type Position,
  StreamsError,
  type TaskTimes,
} from '../../streams/index.ts'
import { ByteWriter, Cursor } from './varint.ts'

const CRC_BYTES = 4

/** Log rows that one batch wrote, in the order of their offsets per partition. */
export interface RowNote {
  readonly topic: number
  readonly partition: number
  readonly baseOffset: number
  readonly lastOffset: number
  /** Bytes of the row's key and value. */
  readonly bytes: number
}

export interface BatchNote {
  readonly appendTime: number
  readonly rows: readonly RowNote[]
}

export interface PartitionBounds {
  readonly topic: number
  readonly partition: number
  readonly start: number
  readonly end: number
  /** Bytes of the partition's rows. */
  readonly bytes: number
}

/** Bounds of every partition right after the batch `sequence`. */
export interface Bounds {
  readonly sequence: number
  readonly appendTime: number
  readonly partitions: readonly PartitionBounds[]
}

/** A small row as it lies in the database. */
export function sealed(key: Buffer, payload: Buffer): Buffer {
  const bytes = Buffer.allocUnsafeSlow(CRC_BYTES + payload.length)
  bytes.writeUInt32BE(crc32(payload, crc32(key)), 0)
  payload.copy(bytes, CRC_BYTES)
  return bytes
}

/** What `sealed` was given. Throws `LOG_CORRUPT`, naming the row as `what`. */
export function unsealed(key: Buffer, bytes: Buffer, what: string): Buffer {
  const payload = bytes.subarray(CRC_BYTES)
  if (bytes.length < CRC_BYTES || bytes.readUInt32BE(0) !== crc32(payload, crc32(key))) {
    throw new StreamsError('LOG_CORRUPT', `${what}: its checksum is wrong`)
  }
  return payload
}

export function sealedJson(key: Buffer, value: unknown): Buffer {
  return sealed(key, Buffer.from(JSON.stringify(value), 'utf8'))
}

export function unsealedJson(key: Buffer, bytes: Buffer, what: string): unknown {
  return JSON.parse(unsealed(key, bytes, what).toString('utf8'))
}

export function encodeCheckpoint({ positions, times, sequence }: Checkpoint): Buffer {
  const into = new ByteWriter()
  writeTimes(into.varint(sequence), times).varint(positions.length)
  for (const { topic, partition, offset } of positions) into.text(topic).varint(partition).varint(offset)
  return into.finish()
}

export function decodeCheckpoint(bytes: Buffer): Checkpoint {
  const from = new Cursor(bytes)
  const sequence = from.varint()
  const times = readTimes(from)
  const positions: Position[] = []
  for (let count = from.varint(); count > 0; count--) {
    positions.push({ topic: from.text(from.varint()), partition: from.varint(), offset: from.varint() })
  }
  return { positions, times, sequence }
}

/** The names of a journal's input topics are written once, whatever the number of runs. */
export function encodeJournal(journal: BatchJournal): Buffer {
  const { sequence, times, wallTimers, punctuators, inputs, outputsCrc } = journal
  const into = new ByteWriter(128 + inputs.length * 8)
  writeTimes(into.varint(sequence), times).varint(wallTimers)
  into.varint(punctuators.length)
  for (const ordinal of punctuators) into.varint(ordinal)
  into.varint(outputsCrc)
  const topics = [...new Set(inputs.map((run) => run.topic))]
  into.varint(topics.length)
  for (const topic of topics) into.text(topic)
  into.varint(inputs.length)
  for (const { topic, partition, firstOffset, count } of inputs) {
    into.varint(topics.indexOf(topic)).varint(partition).varint(firstOffset).varint(count)
  }
  return into.finish()
}

export function decodeJournal(bytes: Buffer): BatchJournal {
  const from = new Cursor(bytes)
  const sequence = from.varint()
  const times = readTimes(from)
  const wallTimers = from.varint()
  const punctuators = several(from.varint(), () => from.varint())
  const outputsCrc = from.varint()
  const topics = several(from.varint(), () => from.text(from.varint()))
  const inputs = several(from.varint(), () => ({
    topic: topics[from.varint()] as string,
    partition: from.varint(),
    firstOffset: from.varint(),
    count: from.varint(),
  }))
  return { sequence, times, wallTimers, punctuators, inputs, outputsCrc }
}

export function encodeNote({ appendTime, rows }: BatchNote): Buffer {
  const into = new ByteWriter(16 + rows.length * 24)
  into.double(appendTime).varint(rows.length)
  for (const { topic, partition, baseOffset, lastOffset, bytes } of rows) {
    into.varint(topic).varint(partition).varint(baseOffset)
    into.varint(lastOffset - baseOffset).varint(bytes)
  }
  return into.finish()
}

export function decodeNote(bytes: Buffer): BatchNote {
  const from = new Cursor(bytes)
  const appendTime = from.double()
  const rows = several(from.varint(), () => {
    const topic = from.varint()
    const partition = from.varint()
    const baseOffset = from.varint()
    return { topic, partition, baseOffset, lastOffset: baseOffset + from.varint(), bytes: from.varint() }
  })
  return { appendTime, rows }
}

export function encodeBounds({ sequence, appendTime, partitions }: Bounds): Buffer {
  const into = new ByteWriter(32 + partitions.length * 24)
  into.varint(sequence).double(appendTime).varint(partitions.length)
  for (const { topic, partition, start, end, bytes } of partitions) {
    into
      .varint(topic)
      .varint(partition)
      .varint(start)
      .varint(end - start)
      .varint(bytes)
  }
  return into.finish()
}

export function decodeBounds(bytes: Buffer): Bounds {
  const from = new Cursor(bytes)
  const sequence = from.varint()
  const appendTime = from.double()
  const partitions = several(from.varint(), () => {
    const topic = from.varint()
    const partition = from.varint()
    const start = from.varint()
    return { topic, partition, start, end: start + from.varint(), bytes: from.varint() }
  })
  return { sequence, appendTime, partitions }
}

function writeTimes(into: ByteWriter, { streamTime, wallTime, lastRecordAt }: TaskTimes): ByteWriter {
  return into.double(streamTime).double(wallTime).double(lastRecordAt)
}

function readTimes(from: Cursor): TaskTimes {
  return { streamTime: from.double(), wallTime: from.double(), lastRecordAt: from.double() }
}

function several<T>(count: number, read: () => T): T[] {
  const items: T[] = []
  for (let i = 0; i < count; i++) items.push(read())
  return items
}
