/** What a judge of the whole shop is given: the log as it is in the end, and, where they are to be had, the rows. */
import {
  type PointAccount,
  type SandboxPayment,
  type StockLevel,
  type Topic,
  topics,
  type UserCoupon,
} from '../../../schemas/index.ts'

export type TopicName = keyof typeof topics
export type ValueOf<N extends TopicName> = (typeof topics)[N] extends Topic<infer V> ? V : never

export interface Fact<V> {
  readonly key: string
  readonly value: V
  /** Epoch milliseconds. */
  readonly timestamp: number
}

export interface ShopLog {
  /** Committed records of a topic, partition after partition, in the order of offsets; without those of no value. */
  facts<N extends TopicName>(name: N): readonly Fact<ValueOf<N>>[]
}

/** Committed rows of the services, by productId, userId, userCouponId and orderId. */
export interface ShopRows {
  readonly levels: ReadonlyMap<string, StockLevel>
  readonly accounts: ReadonlyMap<string, PointAccount>
  readonly coupons: ReadonlyMap<string, UserCoupon>
  /** The payment provider's own books. */
  readonly charges: ReadonlyMap<string, SandboxPayment>
}

/** A record as it lies in a log. */
export interface RawFact {
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly timestamp: number
}

/** `records`: of a topic, by its name on the log. Each topic is read once. */
export function shopLogOf(records: (topic: string) => readonly RawFact[]): ShopLog {
  const known = new Map<TopicName, readonly Fact<unknown>[]>()
  const read = (name: TopicName): readonly Fact<unknown>[] => {
    const topic = topics[name] as unknown as Topic<unknown>
    return records(topic.name).flatMap(({ key, value, timestamp }) => {
      if (key === null || value === null) return []
      return [{ key: key.toString(), value: topic.value.deserialize(value), timestamp }]
    })
  }
  return {
    facts<N extends TopicName>(name: N) {
      const facts = known.get(name) ?? read(name)
      known.set(name, facts)
      return facts as readonly Fact<ValueOf<N>>[]
    },
  }
}
