/** Whatever happens to a cluster, every committed record is read once, in order. */
import { describe, expect, test } from 'vitest'
import { DEFAULT_FETCH_LIMITS, Fetcher } from '../../../transports/kafka/fetcher.ts'
import { type Random, seededRandom, seedOfRun } from '../../support/random.ts'
import { type FetchablePartition, FetchedCluster } from './fetched-cluster.ts'
import { ReadAlong } from './read-along.ts'

const PARTITIONS = 4
const NODES = [1, 2, 3]
const STEPS = 60
const RUNS = 25
/** An election, a stale epoch, a disk that fails, nothing in particular. */
const PASSING_ERRORS = [5, 6, 9, 74, 75, 56, -1, 78]

/** A partition, and the values that readers of committed records are to get from it. */
interface Modelled {
  readonly partition: FetchablePartition
  readonly committed: string[]
  /** The open transaction's producer, first offset and values. */
  open: { readonly producerId: bigint; readonly firstOffset: number; readonly values: string[] } | undefined
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
    const modelled = Array.from({ length: PARTITIONS }, (_, partition): Modelled => {
      return { partition: cluster.at('in', partition), committed: [], open: undefined }
    })
    const read = modelled.map(() => [] as string[])
    const taps = modelled.map((_, partition) => new ReadAlong(fetcher, 'in', 0, partition))
    for (let step = 0; step < STEPS; step++) {
      cluster.change(() => write(random, random.pick(modelled), `${step}`))
      disturb(random, cluster, random.pick(modelled).partition)
      const index = random.below(PARTITIONS)
      read[index]?.push(...take(taps[index]))
      if (random.chance(0.05)) reopen(fetcher, taps, index)
      if (random.chance(0.5)) await new Promise((resolve) => setImmediate(resolve))
    }
    cluster.change(() => settle(cluster, modelled))
    const rest = taps.map((tap, index) => tap.valuesTo(modelled[index]?.partition.end ?? 0))
    for (const [index, values] of (await Promise.all(rest)).entries()) read[index]?.push(...values)
    expect(read, `seed ${seed + run}`).toEqual(modelled.map(({ committed }) => committed))
    fetcher.close()
  })
})

function write(random: Random, to: Modelled, text: string): void {
  const { partition, committed } = to
  const values = Array.from({ length: 1 + random.below(4) }, (_, i) => `${text}.${i}`)
  switch (random.below(4)) {
    case 0:
      partition.append(values)
      committed.push(...values)
      return hold(to)
    case 1:
      partition.appendEmptied(1 + random.below(3))
      return hold(to)
    case 2: {
      const producerId = BigInt(1 + random.below(3))
      to.open ??= { producerId, firstOffset: partition.end, values: [] }
      partition.append(values, { producerId: to.open.producerId })
      // Others append meanwhile, and come first: what is read stays in the order of the log.
      to.open.values.push(...values)
      return hold(to)
    }
    default:
      end(to, random.chance(0.5) ? 'abort' : 'commit')
  }
}
