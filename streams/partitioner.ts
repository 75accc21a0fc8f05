/**
 * Java's default partitioner: `toPositive(murmur2(key)) % partitions`
 * (`org.apache.kafka.common.utils.Utils.murmur2`), so that producers of any language agree on partitions.
 */

const SEED = 0x9747b28c
const M = 0x5bd1e995

/** 32-bit murmur2 as a signed integer. */
export function murmur2(data: Uint8Array): number {
  const length = data.length
  let h = SEED ^ length
  const blocks = length & ~3
  for (let i = 0; i < blocks; i += 4) {
    let k = byte(data, i) | (byte(data, i + 1) << 8) | (byte(data, i + 2) << 16) | (byte(data, i + 3) << 24)
    k = Math.imul(k, M)
    k ^= k >>> 24
    k = Math.imul(k, M)
    h = Math.imul(h, M) ^ k
  }
  const rest = length & 3
  if (rest === 3) h ^= byte(data, blocks + 2) << 16
  if (rest >= 2) h ^= byte(data, blocks + 1) << 8
  if (rest >= 1) h = Math.imul(h ^ byte(data, blocks), M)
  h ^= h >>> 13
  h = Math.imul(h, M)
  return h ^ (h >>> 15)
}

/** Partition of a key, 0 to `partitions` - 1. */
export function partitionFor(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions
}

function byte(data: Uint8Array, index: number): number {
  return data[index] as number
}
