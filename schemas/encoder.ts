/** Writes values into slabs of memory, one after the other, and hands out the pieces. */
import type { AvroType } from './avro-type.ts'

/** Many values share one slab; a value that is kept keeps its slab. */
const SLAB_BYTES = 16 * 1024
/** A larger value gets memory of its own. */
const MAX_SHARED_BYTES = SLAB_BYTES / 2

let slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
let used = 0

/**
 * The value as Avro, after `headerBytes` bytes that the caller fills in.
 * Throws whatever the type throws for a value that does not fit.
 */
export function encode(type: AvroType, value: unknown, headerBytes: number): Buffer {
  const target = slab
  const start = used
  // A getter of the value may encode something itself: it must find this slab taken.
  used = target.length
  let end: number
  try {
    end = type.encode(value, target, start + headerBytes)
  } catch (error) {
    if (slab === target) used = start
    throw error
  }
  if (end >= 0) {
    if (slab === target) used = end
    return target.subarray(start, end)
  }
  // The type says how many bytes were missing, as a negative number.
  const size = target.length - end - start
  if (size > MAX_SHARED_BYTES) {
    if (slab === target) used = start
    const own = Buffer.allocUnsafeSlow(size)
    return own.subarray(0, type.encode(value, own, headerBytes))
  }
  slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
  used = 0
  return encode(type, value, headerBytes)
}
