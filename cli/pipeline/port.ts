/** The pipeline as the API needs it, over the engine and the log. */
import type { CouponPort, LogPort, OperationsPort, Page, ProductPort } from '../../api/index.ts'
import type { UserCoupon } from '../../schemas/index.ts'
import { topics } from '../../schemas/index.ts'
import {
  type Answer,
  type Clock,
  describe,
  partitionFor,
  type Streams,
  toMermaid,
} from '../../streams/index.ts'
import type { Telemetry } from '../../telemetry/index.ts'
import {
  campaignStore,
  catalog,
  commandStore,
  couponIssuance,
  couponWallet,
  counterStore,
  productStore,
  requestStore,
  walletStore,
} from '../../topologies/index.ts'
import type { EmbeddedLog } from '../../transports/embedded/index.ts'
import { healthChecks } from './health.ts'
import { Admission, RateMeter } from './lag.ts'
import { liveGraph } from './live-graph.ts'

export interface PortParts {
  readonly streams: Streams
  readonly log: EmbeddedLog
  readonly telemetry: Telemetry
  readonly clock: Clock
  readonly admission: Admission
  readonly rates: RateMeter
}

export function logPort({ streams, log, telemetry, admission }: PortParts): LogPort {
  return {
    append: (records) => log.append(records),
    admission(topic) {
      const refusal = admission.refusal(topic)
      if (refusal !== undefined) telemetry.onBackpressure(topic)
      return refusal
    },
    async reached({ topic, partition, offset }, { timeoutMs, signal }) {
      if (signal?.aborted === true) return false
      const waits = readersOf(streams, topic).map((runner) => {
        return runner.progress.reached(topic, partition, offset - 1, timeoutMs)
      })
      if (waits.length === 0) return true
      const all = Promise.all(waits).then((reached) => reached.every(Boolean))
      return signal === undefined ? all : Promise.race([all, aborted(signal)])
    },
  }
}

function readersOf(streams: Streams, topic: string) {
  return streams.runners.filter(({ topology }) => {
    return topology.subTopologies.some(({ sources }) => sources.some((source) => source.topic.name === topic))
  })
}

function aborted(signal: AbortSignal): Promise<false> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(false), { once: true }))
}

export function couponPort({ streams, log, rates }: PortParts): CouponPort {
  const campaigns = streams.queries(couponIssuance.name, campaignStore)
  const counters = streams.queries(couponIssuance.name, counterStore)
  const commands = streams.queries(couponIssuance.name, commandStore)
  const requests = streams.queries(couponIssuance.name, requestStore)
  const wallet = streams.queries(couponWallet.name, walletStore)
  const topic = topics.couponIssueRequested.name
  const { progress } = streams.runner(couponIssuance.name)
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
      const partition = given ?? partitionFor(Buffer.from(couponId), partitions)
      if (!(Number.isInteger(partition) && partition >= 0 && partition < partitions)) return undefined
      const { end } = await log.bounds({ topic, partition })
      const processed = progress.position(topic, partition)
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

export function productPort({ streams }: PortParts): ProductPort {
  const products = streams.queries(catalog.name, productStore)
  return {
    product: (productId) => products.get(productId),
    titles: (productIds) => productIds.map((productId) => products.get(productId).value?.title),
  }
}

export function operationsPort(parts: PortParts): OperationsPort {
  const { streams, log, telemetry, clock } = parts
  const topologies = streams.runners.map(({ topology }) => topology)
  return {
    health: (probe) => healthChecks(probe, streams, log),
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
    topologyJson: () => liveGraph(parts),
    topologyText(format) {
      return format === 'mermaid' ? toMermaid(topologies) : topologies.map(describe).join('\n')
    },
  }
}
