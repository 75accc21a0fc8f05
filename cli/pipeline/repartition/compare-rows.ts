/** That rows were moved and nothing else: each is there once, as it was, and where its key belongs. */
import { createHash } from 'node:crypto'
import { type StoredRow, storedRows, timerStoreName } from '../../../state/index.ts'
import { partitionFor, type TaskId, taskName } from '../../../streams/index.ts'
import type { EmbeddedLog } from '../../../transports/embedded/index.ts'
import { CheckError } from '../../errors.ts'
import type { MoveParts } from './move-rows.ts'
import type { Reader } from './plan.ts'
import { recordKeyOf } from './row-keys.ts'

const DIGEST_BITS = 256n
const NUMBER_BYTES = 4

/** A fingerprint of rows in any order: their number, and the sum of their hashes. */
export class RowSum {
  #count = 0
  #sum = 0n

  add({ key, value, version }: StoredRow): void {
    const length = Buffer.allocUnsafe(NUMBER_BYTES)
    length.writeUInt32BE(key.length)
    const hash = createHash('sha256').update(length).update(key).update(Buffer.of(version)).update(value)
    this.#sum = BigInt.asUintN(Number(DIGEST_BITS), this.#sum + BigInt(`0x${hash.digest('hex')}`))
    this.#count++
  }

  get count(): number {
    return this.#count
  }

  equals(other: RowSum): boolean {
    return this.#count === other.#count && this.#sum === other.#sum
  }
}

/** Answers how many rows there are. Throws a `CheckError`. */
export async function compareRows({ source, copy, partitions }: MoveParts, reader: Reader): Promise<number> {
  const { subTopology } = reader
  let rows = 0
  for (const store of [...subTopology.stores.map(({ name }) => name), timerStoreName]) {
    const before = await sumOf(source, reader, store, partitions.from)
    const after = await sumOf(copy, reader, store, partitions.to)
    if (!after.equals(before))
      throw new CheckError(`${store} had ${before.count} rows, and ${after.count} came of it, or others`)
    rows += after.count
  }
  return rows
}

async function sumOf(
  log: EmbeddedLog,
  { topology, subTopology }: Reader,
  store: string,
  partitions: number,
): Promise<RowSum> {
  const sum = new RowSum()
  const stored = new Set(log.storedTasks().map(taskName))
  for (let partition = 0; partition < partitions; partition++) {
    const task: TaskId = { topology: topology.name, subTopology: subTopology.id, partition }
    if (!stored.has(taskName(task))) continue
    for await (const row of storedRows(await log.taskState(task), store)) {
      const place = partitionFor(recordKeyOf(subTopology.stores, store, row.key), partitions)
      if (place !== partition)
        throw new CheckError(`${taskName(task)} has a row of ${store} that belongs to partition ${place}`)
      sum.add(row)
    }
  }
  return sum
}
