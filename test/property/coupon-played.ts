/** Plays a history, on the processors with plain maps as stores or on the engine, and tells what came out. */
import {
  applyCommand,
  type CommandContext,
  type IssueContext,
  issueCoupon,
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
}

export interface Played {
  /** In the order of their append times. */
  readonly inputs: readonly Input[]
  readonly verdicts: readonly Verdict[]
  readonly campaigns: readonly { readonly at: number; readonly value: Campaign }[]
  readonly quotas: readonly QuotaState[]
}

export const placeOf = ({ partition, offset }: Pick<Place, 'partition' | 'offset'>) =>
  `${partition}@${offset}`

/** Copies that have no prototype of a decoder's. */
const plain = <V extends object>(value: V): V => structuredClone({ ...value })

/** On the processors alone: many histories a second. */
export function playOnProcessors(history: readonly Step[]): Played {
  let now = START
  const inputs: Input[] = []
  const played = {
    verdicts: [] as Verdict[],
    campaigns: [] as { at: number; value: Campaign }[],
    quotas: [] as QuotaState[],
  }
  const due = new Map<string, number>()
  let current: Input | undefined
  const verdict = (value: object, topic: Topic<string, never>, timestamp: number) => {
    const bytes = topic.value.serialize(value as never)
    return { cause: placeOf(current as Input), bytes, timestamp }
  }
  const context = {
    stores: storesInMemory(),
    emit: {
      issued: (_: string, issued: CouponIssued, timestamp: number) =>
        void played.verdicts.push({ issued, ...verdict(issued, topics.couponIssued as never, timestamp) }),
      rejected: (_: string, rejected: CouponIssueRejected, timestamp: number) =>
        void played.verdicts.push({
          rejected,
          ...verdict(rejected, topics.couponIssueRejected as never, timestamp),
        }),
      campaign: (_: string, value: Campaign) => void played.campaigns.push({ at: now, value }),
      quota: (_: string, value: QuotaState) => void played.quotas.push(value),
    },
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
      for (const key of due.keys()) sendQuota(key, context)
      due.clear()
    }
  }
  return { inputs, ...played }
}

function storesInMemory(): CommandContext['stores'] & IssueContext['stores'] {
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
    return { cause: cause(record), issued: plain(value!), bytes: record.value!, timestamp }
  })
  const rejected = driver.read(topics.couponIssueRejected).map(({ value, record, timestamp }): Verdict => {
    return { cause: cause(record), rejected: plain(value!), bytes: record.value!, timestamp }
  })
  const campaigns = driver.read(topics.couponCampaign).map(({ value, timestamp }) => {
    return { at: timestamp, value: plain(value!) }
  })
  const quotas = driver.read(topics.couponQuota).map(({ value }) => plain(value!))
  return { verdicts: [...issued, ...rejected], campaigns, quotas }
}
