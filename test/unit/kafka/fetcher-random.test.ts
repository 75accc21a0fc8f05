/** Whatever happens to a cluster, every committed record is read once, in order. */
import { describe, expect, test } from 'vitest'
import { DEFAULT_FETCH_LIMITS, Fetcher } from '../../../transports/kafka/fetcher.ts'
import { type Random, seededRandom, seedOfRun } from '../../support/random.ts'
import { type FetchablePartition, FetchedCluster } from './fetched-cluster.ts'
import { ReadAlong, texts } from './read-along.ts'

const PARTITIONS = 4
const PRODUCERS = 3
const NODES = [1, 2, 3]
const STEPS = 80
const RUNS = 25
/** How long a broker keeps a request that it has nothing for. Milliseconds. */
const WAIT_MS = 5
/** Elections, stale epochs, a disk that fails, nothing in particular. */
const PASSING_ERRORS = [3, 5, 6, 9, 56, 74, 75, 78, -1]

interface Transaction {
  readonly firstOffset: number
  outcome: 'abort' | 'commit' | undefined
}

/** A partition, and what readers of committed records are to get from it. */
class WrittenPartition {
  readonly partition: FetchablePartition
  readonly #written: { readonly value: string; readonly transaction?: Transaction }[] = []
  readonly #open = new Map<bigint, Transaction>()

  constructor(partition: FetchablePartition) {
    this.partition = partition
  }

  get committed(): string[] {
    return this.#written
      .filter(({ transaction }) => transaction === undefined || transaction.outcome === 'commit')
      .map(({ value }) => value)
  }

  write(random: Random, text: string): void {
    const values = Array.from({ length: 1 + random.below(4) }, (_, i) => `${text}.${i}`)
    const producerId = BigInt(1 + random.below(PRODUCERS))
    switch (random.below(4)) {
      case 0:
        this.partition.append(values)
        this.#written.push(...values.map((value) => ({ value })))
        break
      case 1:
        this.partition.appendEmptied(1 + random.below(3))
        break
      case 2:
        this.#writeIn(producerId, values)
        break
      default:
        this.#end(producerId, random.pick(['abort', 'commit']))
    }
    this.#hold()
  }

  /** No transaction stays open. */
  endAll(): void {
    for (const producerId of this.#open.keys()) this.#end(producerId, 'commit')
    this.#hold()
  }

  #writeIn(producerId: bigint, values: readonly string[]): void {
    const transaction = this.#open.get(producerId) ?? { firstOffset: this.partition.end, outcome: undefined }
    this.#open.set(producerId, transaction)
    this.partition.append(values, { producerId })
    this.#written.push(...values.map((value) => ({ value, transaction })))
  }

  #end(producerId: bigint, outcome: 'abort' | 'commit'): void {
    const transaction = this.#open.get(producerId)
    if (transaction === undefined) return
    this.#open.delete(producerId)
    transaction.outcome = outcome
    this.partition.mark(producerId, outcome)
  }

  #hold(): void {
    const firsts = Array.from(this.#open.values(), ({ firstOffset }) => firstOffset)
    this.partition.lastStable = firsts.length === 0 ? undefined : Math.min(...firsts)
  }
}

/** How often a run may damage an answer: a reader gives a batch up that is damaged once more, each time it is fetched. */
const DAMAGES_MAX = 3

function disturb(random: Random, cluster: FetchedCluster, partition: FetchablePartition): void {
  switch (random.below(12)) {
    case 0:
      partition.leader = { node: random.pick(NODES), epoch: partition.leader.epoch + 1 }
      break
    case 1:
      partition.leader = { node: -1, epoch: partition.leader.epoch + 1 }
      break
    case 2:
      partition.errorCode = random.pick(PASSING_ERRORS)
      break
    case 3:
      cluster.stop(random.pick(NODES))
      break
    case 4:
      if (cluster.damages < DAMAGES_MAX) cluster.damageNext()
      break
    case 5:
      cluster.timeOut()
      break
    default:
      calm(cluster)
  }
}

function calm(cluster: FetchedCluster): void {
  cluster.down.clear()
  for (const partition of cluster.partitions.values()) {
    partition.errorCode = 0
    if (partition.leader.node === -1) partition.leader = { node: 1, epoch: partition.leader.epoch + 1 }
  }
}

describe('a cluster where anything happens', () => {
  const seed = seedOfRun()

  test.each(Array.from({ length: RUNS }, (_, run) => run))('run %d', async (run) => {
    const random = seededRandom(seed + run)
    const cluster = FetchedCluster.of('in', PARTITIONS)
    const fetcher = new Fetcher(cluster, {
      ...DEFAULT_FETCH_LIMITS,
      partitionMaxBytes: random.pick([1, 500, 100_000]),
      readerBufferBytes: random.pick([1, 1_000, 1_000_000]),
      totalBufferBytes: random.pick([1, 1_000_000]),
    })
    const written = Array.from({ length: PARTITIONS }, (_, i) => new WrittenPartition(cluster.at('in', i)))
    const readers = written.map((_, i) => ({
      tap: new ReadAlong(fetcher, 'in', 0, i),
      values: [] as string[],
    }))
    for (let step = 0; step < STEPS; step++) {
      cluster.change(() => random.pick(written).write(random, `${step}`))
      if (random.chance(0.5)) cluster.change(() => disturb(random, cluster, random.pick(written).partition))
      const at = random.below(PARTITIONS)
      const reader = readers[at] as (typeof readers)[number]
      reader.values.push(...texts(reader.tap.reader.take(1 + random.below(5))))
      if (random.chance(0.05)) {
        const { position } = reader.tap.reader
        reader.tap.reader.close()
        reader.tap = new ReadAlong(fetcher, 'in', position, at)
      }
      if (random.chance(0.7)) await new Promise((resolve) => setImmediate(resolve))
    }
    cluster.change(() => {
      calm(cluster)
      for (const one of written) one.endAll()
    })
    const waits = setInterval(() => cluster.timeOut(), WAIT_MS)
    const rest = readers.map(({ tap }, at) => tap.valuesTo(cluster.at('in', at).end))
    for (const [at, values] of (await Promise.all(rest)).entries()) readers[at]?.values.push(...values)
    clearInterval(waits)
    expect(
      readers.map(({ values }) => values),
      `seed ${seed + run}`,
    ).toEqual(written.map(({ committed }) => committed))
    fetcher.close()
  })
})
