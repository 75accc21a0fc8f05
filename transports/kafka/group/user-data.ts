/**
 * What members tell each other, as bytes: a version, then compressed JSON. And the reading of such values field by field.
 *
 * Anyone with access to the group can write these bytes: sizes are bounded before and after decompression, and `Fields`
 * lets only values through that are what they must be. Fields that are not asked for are passed over, so a later release
 * may add some without a new version; a new version is for what an older release would misread.
 *
 * Not its job: which fields there are (`metadata.ts`).
 *
 * Why compressed JSON: measured on an assignment in a group of 20 members and 1,000 tasks, it takes 950 bytes, a binary
 * layout 2,900, and 820 when compressed as well. That does not pay for a second way to write things.
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { ProtocolError } from '../protocol/protocol-error.ts'
import { parseTaskKey, type TaskKey, taskKey } from './task-key.ts'

/**
 * Compressed, with the version. The broker keeps what all members of a group say and get in one record, of 1 MiB unless
 * its offsets topic allows more: 100 members with 2,500 tasks make half of that, 200 members with 5,000 tasks three times.
 */
export const MAX_USER_DATA_BYTES = 256 * 1024
const MAX_INFLATED_BYTES = 4 * 1024 * 1024
/** Tasks of one topology. */
export const MAX_TASKS = 65_536
const MAX_SUB_TOPOLOGY = 65_535
const MAX_PARTITION = 2 ** 31 - 1

export type Unpacked =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'newer'; readonly version: number }

/** Throws a `RangeError` for more than `MAX_USER_DATA_BYTES`. `version`: 1 to 127. */
export function pack(version: number, value: unknown): Buffer {
  const bytes = Buffer.concat([Buffer.of(version), deflateRawSync(JSON.stringify(value))])
  if (bytes.length > MAX_USER_DATA_BYTES) {
    throw new RangeError(`${bytes.length} bytes for the group; ${MAX_USER_DATA_BYTES} are possible`)
  }
  return bytes
}

/** `known`: the highest version that can be read. Throws `ProtocolError`. */
export function unpack(known: number, bytes: Buffer): Unpacked {
  if (bytes.length > MAX_USER_DATA_BYTES) throw new ProtocolError(`${bytes.length} bytes of user data`)
  const version = bytes.length === 0 ? 0 : bytes.readInt8(0)
  if (version < 1) throw new ProtocolError('user data without a version')
  if (version > known) return { kind: 'newer', version }
  try {
    const json = inflateRawSync(bytes.subarray(1), { maxOutputLength: MAX_INFLATED_BYTES })
    return { kind: 'value', value: JSON.parse(json.toString('utf8')) }
  } catch (cause) {
    throw new ProtocolError('user data is no compressed JSON', { cause })
  }
}

/** Tasks by sub-topology: the first partition, then the gap to each next one. Compresses to about a bit a task. */
export function packTasks(keys: readonly TaskKey[]): Record<number, number[]> {
  const bySubTopology: Record<number, number[]> = {}
  let last = 0
  for (const { subTopology, partition } of sortedTasks(keys)) {
    const gaps = (bySubTopology[subTopology] ??= [])
    gaps.push(gaps.length === 0 ? partition : partition - last)
    last = partition
  }
  return bySubTopology
}

/** In the order of sub-topologies and partitions, as `packTasks` writes them. Throws a `RangeError` for what is no key. */
export function sortedTasks(keys: readonly TaskKey[]) {
  const tasks = keys.map((key) => {
    const task = parseTaskKey(key)
    if (task === undefined) throw new RangeError(`not a task: ${key}`)
    return task
  })
  return tasks.sort((a, b) => a.subTopology - b.subTopology || a.partition - b.partition)
}

/** The fields of an object from outside. Every method throws `ProtocolError` where the value is not what it must be. */
export class Fields {
  readonly #fields: Readonly<Record<string, unknown>>
  readonly #what: string

  /** `what` names the object, for errors. */
  constructor(value: unknown, what: string) {
    this.#what = what
    if (!isObject(value)) throw new ProtocolError(`${what} is no object`)
    this.#fields = value
  }

  has(name: string): boolean {
    return this.#fields[name] !== undefined
  }

  text(name: string, fits: (text: string) => boolean): string {
    return this.#text(name, this.#fields[name], fits)
  }

  whole(name: string, lowest: number, highest: number): number {
    const value = this.#fields[name]
    if (isWhole(value, lowest, highest)) return value
    throw this.#error(name, `is no whole number from ${lowest} to ${highest}`)
  }

  list(name: string, most: number): readonly unknown[] {
    const value = this.#fields[name]
    if (!Array.isArray(value)) throw this.#error(name, 'is no list')
    if (value.length > most) throw this.#error(name, `has ${value.length} elements; ${most} are possible`)
    return value
  }

  texts(name: string, most: number, fits: (text: string) => boolean): string[] {
    return this.list(name, most).map((value) => this.#text(name, value, fits))
  }

  wholes(name: string, most: number, lowest: number, highest: number): number[] {
    return this.list(name, most).map((value) => {
      if (isWhole(value, lowest, highest)) return value
      throw this.#error(name, `has a value that is no whole number from ${lowest} to ${highest}`)
    })
  }

  /** What `packTasks` wrote: each task once. */
  tasks(name: string): TaskKey[] {
    const value = this.#fields[name]
    if (!isObject(value)) throw this.#error(name, 'is no object')
    const tasks: TaskKey[] = []
    for (const [key, gaps] of Object.entries(value)) {
      const subTopology = Number(key)
      if (String(subTopology) !== key || !isWhole(subTopology, 0, MAX_SUB_TOPOLOGY) || !Array.isArray(gaps)) {
        throw this.#error(name, 'is not by sub-topology')
      }
      let partition = 0
      gaps.forEach((gap: unknown, index) => {
        partition += isWhole(gap, index === 0 ? 0 : 1, MAX_PARTITION) ? gap : Infinity
        if (partition > MAX_PARTITION) throw this.#error(name, 'has no ascending partitions')
        tasks.push(taskKey(subTopology, partition))
      })
    }
    if (tasks.length > MAX_TASKS)
      throw this.#error(name, `has ${tasks.length} tasks; ${MAX_TASKS} are possible`)
    return tasks
  }

  #text(name: string, value: unknown, fits: (text: string) => boolean): string {
    if (typeof value === 'string' && fits(value)) return value
    throw this.#error(name, 'has a text that cannot be one')
  }

  /** Never shows the value: it is from outside and of any length. */
  #error(name: string, why: string): ProtocolError {
    return new ProtocolError(`${this.#what}: ${name} ${why}`)
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isWhole(value: unknown, lowest: number, highest: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= lowest && (value as number) <= highest
}
