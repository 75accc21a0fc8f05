/** Plays a history, on the processors with plain maps as stores or on the engine, and tells what came out. */
import {
  applyCommand,
  type CommandContext,
  type IssueContext,
  issueCoupon,
  type Place as FactPlace,
  sendQuota,
} from '../../processors/index.ts'
import {
  type Campaign,
  type CouponIssued,
  type CouponIssueRejected,
  type CouponIssueRequested,
  type QuotaState,
  topics,
} from '../../schemas/index.ts'
import type { KeyValueStore } from '../../state/index.ts'
import { formatUuid7, type LogRecord, NO_HEADERS, type Topic } from '../../streams/index.ts'
import { type DriverOptions, TopologyTestDriver } from '../../testing/index.ts'
import { couponIssuance } from '../../topologies/index.ts'
import { START, type Step } from './coupon-history.ts'

interface Place {
  readonly partition: number
  readonly offset: number
  /** When the log took it, epoch milliseconds; all inputs of a history differ in it. */
  readonly at: number
}
export type Input =
  | ({ readonly kind: 'command'; readonly value: Campaign } & Place)
  | ({ readonly kind: 'request'; readonly value: CouponIssueRequested } & Place)

/** One verdict, with the place of the request that it was given on. */
export interface Verdict {
  readonly cause: string
  readonly issued?: CouponIssued
  readonly rejected?: CouponIssueRejected
  readonly bytes: Buffer
  readonly timestamp: number
  /** Its own place in the log. */
  readonly place: FactPlace
}

/** What an issuer would do that is not right: other rows than there are, other words than it was told. */
export interface Faults {
  readonly stores?: (stores: Stores) => Stores
  readonly emit?: (emit: Emits) => Emits
}
type Stores = CommandContext['stores'] & IssueContext['stores']
type Emits = CommandContext['emit'] & IssueContext['emit']

export interface Played {
  /** In the order of their append times. */
  readonly inputs: readonly Input[]
  readonly verdicts: readonly Verdict[]
  readonly campaigns: readonly {
    readonly at: number
    readonly value: Campaign
    readonly place: FactPlace
  }[]
  readonly quotas: readonly { readonly value: QuotaState; readonly place: FactPlace }[]
}

export const placeOf = ({ partition, offset }: Pick<Place, 'partition' | 'offset'>) =>
  `${partition}@${offset}`

/** Copies that have no prototype of a decoder's. */
const plain = <V extends object>(value: V): V => structuredClone({ ...value })

/** On the processors alone: many histories a second. */
export function playOnProcessors(history: readonly Step[], faults: Faults = {}): Played {
  let now = START
  const inputs: Input[] = []
  const played = {
    verdicts: [] as Verdict[],
    campaigns: [] as { at: number; value: Campaign; place: FactPlace }[],
    quotas: [] as { value: QuotaState; place: FactPlace }[],
  }
  const due = new Map<string, number>()
  let current: Input | undefined
  const offsets = new Map<string, number>()
  const placed = (topic: string): FactPlace => {
    const offset = offsets.get(topic) ?? 0
    offsets.set(topic, offset + 1)
    const eventId = `${topic} ${offset}`
    if (current === undefined) return { topic, partition: 0, offset, lineage: { eventId } }
    const from = current.kind === 'command' ? topics.couponCampaignRequested : topics.couponIssueRequested
    const cause = { topic: from.name, partition: 0, offset: current.offset, timestamp: current.at }
    return { topic, partition: 0, offset, lineage: { eventId, cause } }
  }
  const verdict = (value: object, topic: Topic<string, never>, timestamp: number) => {
    const bytes = topic.value.serialize(value as never)
    return { cause: placeOf(current as Input), bytes, timestamp, place: placed(topic.name) }
  }
  const stores = storesInMemory()
  const emit: Emits = {
    issued: (_: string, issued: CouponIssued, timestamp: number) =>
      void played.verdicts.push({ issued, ...verdict(issued, topics.couponIssued as never, timestamp) }),
    rejected: (_: string, rejected: CouponIssueRejected, timestamp: number) =>
      void played.verdicts.push({
        rejected,
        ...verdict(rejected, topics.couponIssueRejected as never, timestamp),
      }),
    campaign: (_: string, value: Campaign) =>
      void played.campaigns.push({ at: now, value, place: placed(topics.couponCampaign.name) }),
    quota: (_: string, value: QuotaState) =>
      void played.quotas.push({ value, place: placed(topics.couponQuota.name) }),
  }
  const context = {
    stores: faults.stores?.(stores) ?? stores,
    emit: faults.emit?.(emit) ?? emit,
    timers: {
      quota: {
        schedule: (key: string, at: number) => void due.set(key, at),
        cancel: (key: string) => void due.delete(key),
        dueAt: (key: string) => due.get(key),
      },
    },
    wallTime: START,
    deadLetter(reason: string) {
      throw new Error(reason)
    },
  }

  const counts = { command: 0, request: 0 }
  const append = (kind: Input['kind'], value: Input['value']) => {
    now++
    current = { kind, value, partition: 0, offset: counts[kind]++, at: now } as Input
    inputs.push(current)
    const origin = { offset: current.offset, partition: 0, appendTime: now } as LogRecord
    if (current.kind === 'command') {
      applyCommand({ key: current.value.couponId, value: current.value, timestamp: now, origin }, context)
    } else {
      issueCoupon({ key: current.value.couponId, value: current.value, timestamp: now, origin }, context)
    }
  }
  for (const step of history) {
    if (step.kind === 'command' || step.kind === 'request') append(step.kind, step.value)
    if (step.kind === 'again') {
      const again = inputs.at(-1 - step.back)
      if (again !== undefined) append(again.kind, again.value)
    }
    if (step.kind === 'wait') {
      now += step.ms
      current = undefined
      for (const key of due.keys()) sendQuota(key, context)
      due.clear()
    }
  }
  return { inputs, ...played }
}

function storesInMemory(): Stores {
  return { campaigns: store(), counters: store(), commands: store(), claims: store(), requests: store() }
}

function store<K, V>(): KeyValueStore<K, V> {
  const rows = new Map<string, V>()
  const text = (key: K) => JSON.stringify(key)
  const unused = () => {
    throw new Error('the rules scan nothing')
  }
  return {
    get: (key) => rows.get(text(key)),
    put: (key, value) => void rows.set(text(key), value),
    delete: (key) => void rows.delete(text(key)),
    scan: unused,
    index: unused,
  }
}

/** On the engine, disturbed as the history says. The driver stays open for the caller to look further. */
export async function playOnEngine(
  history: readonly Step[],
  options: Partial<DriverOptions>,
): Promise<Played & { readonly driver: TopologyTestDriver }> {
  const driver = await TopologyTestDriver.open({ topologies: [couponIssuance], now: START, ...options })
  const inputs: Input[] = []
  const append = async (kind: Input['kind'], value: Input['value']) => {
    driver.clock.advance(1)
    const topic = kind === 'command' ? topics.couponCampaignRequested : topics.couponIssueRequested
    const lineage = { eventId: formatUuid7(driver.clock.now(), inputs.length, 0, 0) }
    const bytes = topic.value.serialize(value as never)
    const key = Buffer.from(value.couponId)
    const record = { topic: topic.name, key, value: bytes, timestamp: 1, lineage, headers: NO_HEADERS }
    const [place] = await driver.log.append([record])
    const { partition, offset, appendTime: at } = place!
    inputs.push({ kind, value, partition, offset, at } as Input)
    if (options.restartAfterEachRecord === true) {
      await driver.settle()
      await driver.restart()
    }
  }
  for (const step of history) {
    if (step.kind === 'command' || step.kind === 'request') await append(step.kind, step.value)
    if (step.kind === 'again') {
      const again = inputs.at(-1 - step.back)
      if (again !== undefined) await append(again.kind, again.value)
    }
    if (step.kind === 'settle') await driver.settle()
    if (step.kind === 'wait') await driver.advanceWallTime(step.ms)
    if (step.kind === 'crash') {
      for (const runner of driver.streams.runners) await runner.step()
      await driver.restart()
    }
  }
  await driver.settle()
  return { driver, inputs, ...outputsOf(driver) }
}

function outputsOf(driver: TopologyTestDriver): Pick<Played, 'verdicts' | 'campaigns' | 'quotas'> {
  const cause = (record: LogRecord) => placeOf(record.lineage?.cause ?? record)
  const issued = driver.read(topics.couponIssued).map(({ value, record, timestamp }): Verdict => {
    return { cause: cause(record), issued: plain(value!), bytes: record.value!, timestamp, place: record }
  })
  const rejected = driver.read(topics.couponIssueRejected).map(({ value, record, timestamp }): Verdict => {
    return { cause: cause(record), rejected: plain(value!), bytes: record.value!, timestamp, place: record }
  })
  const campaigns = driver.read(topics.couponCampaign).map(({ value, timestamp, record }) => {
    return { at: timestamp, value: plain(value!), place: record }
  })
  const quotas = driver
    .read(topics.couponQuota)
    .map(({ value, record }) => ({ value: plain(value!), place: record }))
  return { verdicts: [...issued, ...rejected], campaigns, quotas }
}
