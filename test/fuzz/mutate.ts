/** What a bad disk, a bad producer or an enemy makes of bytes and of JSON values; all of it from a seed. */
import type { Random } from '../support/random.ts'

const HUGE_BYTES_MAX = 11
/** Longer makes no other way through a decoder. */
const MESSAGE_BYTES_MAX = 1 << 16

type Mutation = (bytes: Buffer, at: number, random: Random, other: Buffer) => Buffer

const mutations: readonly Mutation[] = [
  (bytes, at, random) => replaced(bytes, at, 1, Buffer.of(random.below(256))),
  (bytes, at, random) => replaced(bytes, at, 1, Buffer.of((bytes[at] ?? 0) ^ (1 << random.below(8)))),
  (bytes, at) => bytes.subarray(0, at),
  (bytes, at, random) => replaced(bytes, at, 0, bytes.subarray(at - random.below(at + 1), at)),
  (bytes, at, random) =>
    replaced(bytes, at, random.below(3), Buffer.alloc(1 + random.below(HUGE_BYTES_MAX), 0xff)),
  (bytes, at, random) => replaced(bytes, at, 1 + random.below(8), Buffer.alloc(0)),
  (bytes, at, random, other) =>
    Buffer.concat([bytes.subarray(0, at), other.subarray(random.below(other.length + 1))]),
]

/** A change or a few, at places from `from` on; now and then also before it. `other` is spliced in. */
export function mutateBytes(bytes: Buffer, random: Random, other: Buffer, from = 0): Buffer {
  let changed = bytes
  for (let left = random.chance(1 / 4) ? 4 : 1; left > 0; left--) {
    const first = random.chance(1 / 20) ? 0 : Math.min(from, changed.length)
    const at = first + random.below(changed.length - first + 1)
    changed = random.pick(mutations)(changed, at, random, other)
  }
  return changed.subarray(0, MESSAGE_BYTES_MAX)
}

function replaced(bytes: Buffer, at: number, count: number, by: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, at), by, bytes.subarray(at + count)])
}

/** Values that programs trip over. JSON can say all of them. */
const odd: readonly ((random: Random) => unknown)[] = [
  () => null,
  () => true,
  () => -1,
  () => 0.5,
  () => 2 ** 53,
  () => -1e308,
  () => '',
  () => '\u0000',
  () => '\ud800',
  () => '../../etc/passwd',
  () => '__proto__',
  () => [],
  () => ({}),
  () => JSON.parse('{"__proto__":{"x":1}}') as unknown,
  () => JSON.parse('{"constructor":{"prototype":{"x":1}}}') as unknown,
  (random) => 'x'.repeat(random.below(5_000)),
  (random) => nested(1 + random.below(300)),
  (random) => Array.from({ length: random.below(300) }, () => 'y'),
]

export function oddValue(random: Random): unknown {
  return random.pick(odd)(random)
}

/** The value with one part replaced, removed or added. */
export function spoilt(value: unknown, random: Random): unknown {
  if (typeof value !== 'object' || value === null || random.chance(1 / 8)) return oddValue(random)
  if (Array.isArray(value)) {
    const at = random.below(value.length + 1)
    return [...value.slice(0, at), spoilt(value[at], random), ...value.slice(at + 1)]
  }
  const entries = Object.entries(value)
  if (entries.length === 0 || random.chance(1 / 8))
    return Object.fromEntries([...entries, [String(oddValue(random)), oddValue(random)]])
  const at = random.below(entries.length)
  if (random.chance(1 / 4)) return Object.fromEntries(entries.toSpliced(at, 1))
  const [name, part] = entries[at] as [string, unknown]
  return Object.fromEntries(entries.with(at, [name, spoilt(part, random)]))
}

function nested(levels: number): unknown {
  let value: unknown = 1
  for (let i = 0; i < levels; i++) value = i % 2 === 0 ? [value] : { a: value }
  return value
}
