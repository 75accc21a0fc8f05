/**
 * A pipeline that HTTP can have before it is there. Until then the process lives, is not ready, takes nothing, and every
 * question is answered with `TASK_NOT_HERE`: try again.
 */
import type { Pipeline } from '../../api/index.ts'
import { StreamsError } from '../../streams/index.ts'
import type { Telemetry } from '../../telemetry/index.ts'

const RETRY_AFTER_MS = 1_000

export interface PipelineGate {
  /** Goes to whatever is behind the gate at the moment of a call. */
  readonly pipeline: Pipeline
  open(pipeline: Pipeline): void
}

export function pipelineGate(telemetry: Telemetry): PipelineGate {
  let behind = starting(telemetry)
  const pipeline = new Proxy(behind, {
    get(_target, name) {
      const member: unknown = Reflect.get(behind, name)
      return typeof member === 'function' ? (member.bind(behind) as unknown) : member
    },
  })
  return { pipeline, open: (next) => (behind = next) }
}

function starting(telemetry: Telemetry): Pipeline {
  const notYet = (): never => {
    throw new StreamsError('TASK_NOT_HERE', 'the process is starting')
  }
  return {
    append: notYet,
    admission: () => ({ retryAfterMs: RETRY_AFTER_MS, reason: 'the process is starting' }),
    reached: notYet,
    campaign: notYet,
    campaignCommand: notYet,
    couponRequest: notYet,
    requestQueue: notYet,
    userCoupons: notYet,
    product: notYet,
    titles: notYet,
    board: notYet,
    boardUntil: notYet,
    order: notYet,
    orderUntil: notYet,
    orderList: notYet,
    orderTimeline: notYet,
    orderNews: notYet,
    orderRepairs: notYet,
    priced: notYet,
    stock: notYet,
    stockAdjustment: notYet,
    points: notYet,
    pointEntries: notYet,
    pointAdjustment: notYet,
    userCoupon: notYet,
    profile: notYet,
    cart: notYet,
    sealed: notYet,
    opener: notYet,
    erasing: notYet,
    hasKey: notYet,
    erased: notYet,
    userNews: notYet,
    userNewsUntil: notYet,
    deadLetterTopic: notYet,
    deadLetters: notYet,
    deadLetterCauses: notYet,
    deadLetter: notYet,
    isRedriving: notYet,
    redrive: notYet,
    connectors: notYet,
    isConnectorPaused: notYet,
    setConnectorPaused: notYet,
    suppressedMails: notYet,
    pausedTask: notYet,
    resumeTask: notYet,
    health: (probe) => [{ name: 'start', ok: probe === 'live', detail: 'starting' }],
    metrics: async () => ({ contentType: telemetry.contentType, body: await telemetry.metrics() }),
    time: notYet,
    thawClocks: notYet,
    incidents: notYet,
    topologyJson: notYet,
    topologyText: notYet,
  }
}
