/**
 * Kafka's own consumer, `read_committed`, reads the decisions along while the engine and the brokers are disturbed. What
 * it saw must be what is there in the end: no aborted value, nothing twice, nothing left out, each partition in order.
 */
import { wallet } from '../../../topologies/index.ts'
import { firstDifference } from '../../crash/coupon-oracle.ts'
import { JavaFollower, type OracleRecord, readCommitted } from '../../support/kafka/oracle.ts'

/** No test deletes these. */
const TOPICS = ['coupon.issued', 'coupon.issue.rejected', ...wallet().internalTopics.map(({ name }) => name)]

export class ReadAlong {
  readonly #bootstrap: string
  readonly #follower: JavaFollower
  #judged: Promise<string[]> | undefined

  private constructor(bootstrap: string, follower: JavaFollower) {
    this.#bootstrap = bootstrap
    this.#follower = follower
  }

  static async start(bootstrap: string): Promise<ReadAlong> {
    return new ReadAlong(bootstrap, await JavaFollower.start(bootstrap, TOPICS))
  }

  /** Ends it, once nothing is written any more; answers complaints, the same each time. */
  judge(): Promise<string[]> {
    return (this.#judged ??= this.#judge())
  }

  async #judge(): Promise<string[]> {
    const seen = Map.groupBy(await this.#follower.end(), ({ topic }) => topic)
    const complaints = TOPICS.map(async (topic) => {
      const there = byPartition(await readCommitted(this.#bootstrap, topic))
      const read = byPartition(seen.get(topic) ?? [])
      return [...new Set([...there.keys(), ...read.keys()])].flatMap((partition) => {
        const [expected, found] = [there, read].map((some) => (some.get(partition) ?? []).map(line))
        return firstDifference(`read along, ${topic}-${partition}`, expected ?? [], found ?? [])
      })
    })
    return (await Promise.all(complaints)).flat()
  }

  /** Idempotent. */
  close(): Promise<void> {
    return this.#follower.drop()
  }
}

function byPartition<R extends OracleRecord>(records: readonly R[]): Map<number, R[]> {
  return Map.groupBy(records, ({ partition }) => partition)
}

function line({ offset, key, value, timestamp }: OracleRecord): string {
  return `${offset} ${key?.toString('base64')} ${value?.toString('base64')} (${timestamp})`
}
