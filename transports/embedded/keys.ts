/**
 * Key spaces of the one database, one first byte each:
 *
 * | key | row |
 * | --- | --- |
 * | `b` | bounds of all partitions as of some batch |
 * | `h` name NUL topic NUL partition(u16) | a position that a connector holds |
 * | `j` task(u16) sequence(u64) | journal of one committed batch of a task |
 * | `l` topic(u16) partition(u16) last offset(u64) | one row of the log: a record batch |
 * | `o` task(u16) | which task has this ordinal, and its stores |
 * | `p` task(u16) | checkpoint of a task |
 * | `r` number(8) | one row of the ring of batch numbers |
 * | `s` task(u16) … | state of a task |
 * | `t` topic(u16) | a topic |
 * | `x` name | a setting |
 *
 * Numbers are big-endian, so that byte order is numeric order. A log row is keyed by its last offset: the first row at
 * or after an offset is the one that holds it.
 */
import type { KeyRange } from '../../state/index.ts'

export const LOG_KEY_BYTES = 13

const space = {
  bounds: 0x62,
  hold: 0x68,
  journal: 0x6a,
  log: 0x6c,
  task: 0x6f,
  checkpoint: 0x70,
  ring: 0x72,
  state: 0x73,
  topic: 0x74,
  setting: 0x78,
} as const

export const boundsKey: Buffer = Buffer.of(space.bounds)
export const ringPrefix: Buffer = Buffer.of(space.ring)

export function logKey(topic: number, partition: number, lastOffset: number): Buffer {
  const key = Buffer.allocUnsafe(LOG_KEY_BYTES)
  key[0] = space.log
  key.writeUInt16BE(topic, 1)
  key.writeUInt16BE(partition, 3)
  writeUint64(key, 5, lastOffset)
  return key
}

/** The last offset that a log row's key names. */
export function lastOffsetOf(key: Buffer): number {
  return readUint64(key, 5)
}

/** Rows of one partition that hold offsets from `from` on. */
export function logRange(topic: number, partition: number, from: number): KeyRange {
  const lt = Buffer.allocUnsafe(LOG_KEY_BYTES)
  logKey(topic, partition, 0).copy(lt)
  lt.fill(0xff, 5)
  return { gte: logKey(topic, partition, from), lt }
}

export function checkpointKey(task: number): Buffer {
  return numbered(space.checkpoint, task)
}

export function taskKey(task: number): Buffer {
  return numbered(space.task, task)
}

export function topicKey(topic: number): Buffer {
  return numbered(space.topic, topic)
}

/** What all rows of a task's state begin with. */
export function statePrefix(task: number): Buffer {
  return numbered(space.state, task)
}

export function stateRange(task: number): KeyRange {
  return prefixRange(statePrefix(task))
}

export function journalKey(task: number, sequence: number): Buffer {
  const key = Buffer.allocUnsafe(11)
  key[0] = space.journal
  key.writeUInt16BE(task, 1)
  writeUint64(key, 3, sequence)
  return key
}

export function journalRange(task: number): KeyRange {
  return prefixRange(numbered(space.journal, task))
}

export function settingKey(name: string): Buffer {
  return Buffer.concat([Buffer.of(space.setting), Buffer.from(name, 'utf8')])
}

export function holdKey(name: string, topic: string, partition: number): Buffer {
  const end = Buffer.alloc(3)
  end.writeUInt16BE(partition, 1)
  return Buffer.concat([Buffer.of(space.hold), Buffer.from(`${name}\0${topic}`, 'utf8'), end])
}

/** All rows of one kind. */
export function rangeOf(kind: keyof typeof space): KeyRange {
  return prefixRange(Buffer.of(space[kind]))
}

function numbered(prefix: number, ordinal: number): Buffer {
  const key = Buffer.allocUnsafe(3)
  key[0] = prefix
  key.writeUInt16BE(ordinal, 1)
  return key
}

/** Keys that begin with `prefix`, whose first byte is below 0xff. */
function prefixRange(prefix: Buffer): KeyRange {
  const lt = Buffer.from(prefix)
  let last = lt.length - 1
  while (lt[last] === 0xff) last--
  lt[last] = (lt[last] as number) + 1
  return { gte: prefix, lt: lt.subarray(0, last + 1) }
}

function writeUint64(into: Buffer, at: number, value: number): void {
  into.writeUInt32BE(Math.floor(value / 2 ** 32), at)
  into.writeUInt32BE(value >>> 0, at + 4)
}

function readUint64(from: Buffer, at: number): number {
  return from.readUInt32BE(at) * 2 ** 32 + from.readUInt32BE(at + 4)
}
