/** The pipeline as the API needs it, over the engine and the log. */
import type { CouponPort, HealthCheck, LogPort, OperationsPort, Page, ProductPort } from '../../api/index.ts'
import type { UserCoupon } from '../../schemas/index.ts'
import { topics } from '../../schemas/index.ts'
import {
  type Answer,
  type Clock,
  describe,
  isStreamsError,
  type Log,
  partitionFor,
  type Streams,
  TaskNotHere,
  toMermaid,
  type Topology,
} from '../../streams/index.ts'
import type { Telemetry } from '../../telemetry/index.ts'
import {
  campaignStore,
  catalog,
  commandStore,
  couponIssuance,
  counterStore,
  productStore,
  requestStore,
  WALLET,
  walletStore,
} from '../../topologies/index.ts'
import { healthChecks } from './health.ts'
import { Admission, RateMeter } from './lag.ts'
import type { Incidents } from './incidents.ts'
import { liveGraph } from './live-graph.ts'
import { queriesOf, runnerOf } from './queries.ts'
import type { Replica } from './replica.ts'

export interface PortParts {
  readonly streams: Streams
  /** Those that an append is waited for in. */
  readonly deciding: readonly Topology[]
  readonly log: Log
  /** What readiness depends on besides tasks. */
  readonly checks: () => readonly HealthCheck[]
  readonly telemetry: Telemetry
  readonly clock: Clock
  readonly admission: Admission
  readonly rates: RateMeter
  /** Absent where one process has every task. */
  readonly replica?: Replica | undefined
  /** Absent where sentinel and orders are off. */
  readonly incidents?: Incidents | undefined
}

export function logPort({ streams, deciding, log, telemetry, admission }: PortParts): LogPort {
  return {
    append: (records) => log.append(records),
    admission(topic) {
      const refusal = admission.refusal(topic)
      if (refusal !== undefined) telemetry.onBackpressure(topic)
      return refusal
    },
    async reached({ topic, partition, offset }, { timeoutMs, signal }) {
      if (signal?.aborted === true) return false
      const waits = readersOf(streams, deciding, topic).map((runner) => {
        return runner.progress.reached(topic, partition, offset - 1, timeoutMs)
      })
      if (waits.length === 0) return true
      const all = Promise.all(waits).then((reached) => reached.every(Boolean))
      return signal === undefined ? all : Promise.race([all, aborted(signal)])
    },
  }
}

function readersOf(streams: Streams, deciding: readonly Topology[], topic: string) {
  return streams.runners.filter(({ topology }) => {
    if (!deciding.some(({ name }) => name === topology.name)) return false
    return topology.subTopologies.some(({ sources }) => sources.some((source) => source.topic.name === topic))
  })
}

function aborted(signal: AbortSignal): Promise<false> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(false), { once: true }))
}

export function couponPort({ streams, log, rates }: PortParts): CouponPort {
  const campaigns = queriesOf(streams, couponIssuance.name, campaignStore)
  const counters = queriesOf(streams, couponIssuance.name, counterStore)
  const commands = queriesOf(streams, couponIssuance.name, commandStore)
  const requests = queriesOf(streams, couponIssuance.name, requestStore)
  const wallet = queriesOf(streams, WALLET, walletStore)
  const topic = topics.couponIssueRequested.name
  return {
    campaign(couponId) {
      const { value: campaign, positions } = campaigns.get(couponId)
      if (campaign === undefined) return { value: undefined, positions }
      const { issued = 0, soldOutAt = null } = counters.get(couponId).value ?? {}
      return { value: { campaign, issued, soldOutAt }, positions }
    },
    campaignCommand(couponId, offset) {
      return commands.get(couponId).value?.recent.find((command) => command.offset === offset)
    },
    couponRequest: (couponId, requestId) => requests.get([couponId, requestId], couponId),
    async requestQueue(couponId, given) {
      const partitions = log.partitions(topic)
      const partition = partitionFor(Buffer.from(couponId), partitions)
      if (given !== undefined && given !== partition) return undefined
      const issuer = runnerOf(streams, couponIssuance.name)
      // Whoever decides the requests knows how far it is; throws where that is another process.
      issuer.stores.of(requestStore.name, partition)
      const { end } = await log.bounds({ topic, partition })
      const processed = issuer.progress.position(topic, partition)
      return { topic, partition, end, processed, ratePerSecond: rates.perSecond(topic, partition) }
    },
    async userCoupons(userId, { limit, after }) {
      const { value, positions } = await wallet.page(userId, {
        prefix: [userId],
        limit: limit + 1,
        ...(after === undefined ? {} : { after: [userId, after] as [string, string] }),
      })
      const items = value.slice(0, limit).map(([, coupon]) => coupon)
      const last = items.at(-1)
      const page: Page<UserCoupon> =
        value.length > limit && last !== undefined ? { items, next: last.userCouponId } : { items }
      return { value: page, positions } satisfies Answer<Page<UserCoupon>>
    },
  }
}

export function productPort({ streams, replica }: PortParts): ProductPort {
  const products = queriesOf(streams, catalog.name, productStore)
  return {
    product: (productId) => products.get(productId),
    titles: (productIds) => productIds.map(titleOf),
  }

  /** A board is made of products of all tasks: what is only shown with it may come from a copy. */
  function titleOf(productId: string): string | undefined {
    try {
      return products.get(productId).value?.title
    } catch (error) {
      if (isStreamsError(error, 'TASK_NOT_HERE')) return replica?.product(productId)?.title
      throw error
    }
  }
}

export function operationsPort(parts: PortParts): OperationsPort {
  const { streams, deciding, checks, telemetry, clock, incidents } = parts
  const topologies = streams.runners.map(({ topology }) => topology)
  return {
    health: (probe) => healthChecks(probe, streams, deciding, checks),
    async metrics() {
      return { contentType: telemetry.contentType, body: await telemetry.metrics() }
    },
    time() {
      const clocks = streams.runners.flatMap(({ wallClock }) => (wallClock === undefined ? [] : [wallClock]))
      return {
        now: Math.max(...clocks.map((wall) => wall.now()), clocks.length === 0 ? clock.now() : 0),
        frozen: clocks.some(({ frozen }) => frozen),
      }
    },
    thawClocks() {
      for (const runner of streams.runners) {
        runner.wallClock?.thaw()
        runner.wake()
      }
    },
    incidents() {
      const found = incidents?.list()
      if (incidents !== undefined && found === undefined)
        throw new TaskNotHere('incidents are not read yet', undefined)
      return found
    },
    topologyJson: () => liveGraph(parts),
    topologyText(format) {
      return format === 'mermaid' ? toMermaid(topologies) : topologies.map(describe).join('\n')
    },
  }
}
