/** Where a history of an order is played: on the processor with a map as its store, or on the engine. */
import type { OrderOutput, OrderOutputName, OrderOutputValues } from '../../processors/orders/outputs.ts'
import { type OrderContext, type OrderMessage, orchestrator, orderOutputs } from '../../processors/index.ts'
import { type OrderRow, orderRowSchema, stateSerde, type Topic, topics } from '../../schemas/index.ts'
import type { LogRecord } from '../../streams/index.ts'
import { type DriverOptions, TopologyTestDriver } from '../../testing/index.ts'
import { orders } from '../../topologies/index.ts'

export const START = Date.UTC(2026, 0, 1)
const second = 1_000
export const RULES = {
  payByMs: 1_000,
  currency: 'GBP',
  keepMs: 400 * 86_400 * second,
  patience: { timeoutMs: 10 * second, retry: { attempts: 3, backoffMs: second } },
  deliveryPatience: { timeoutMs: 60 * second },
} as const

export interface Host {
  readonly now: number
  /** Takes a message; answers what was sent. */
  send(message: OrderMessage): Promise<OrderOutput[]>
  /** Lets time pass; answers what was sent. */
  wait(ms: number): Promise<OrderOutput[]>
  close(): Promise<void>
}

const writeOnly = { put: () => undefined, delete: () => undefined }

/** The processor alone; what it stores is bytes. */
export function processorHost(completeOn: 'started' | 'delivered'): Host {
  const desk = orchestrator({ ...RULES, completeOn })
  const serde = stateSerde(orderRowSchema)
  const rows = new Map<string, Buffer>()
  const due = new Map<string, number>()
  let now = START
  let sent: OrderOutput[] = []
  const emit = Object.fromEntries(
    orderOutputs.map((topic) => [
      topic,
      (_: string, value: unknown) => void sent.push({ topic, value } as OrderOutput),
    ]),
  ) as unknown as OrderContext['emit']
  const context = (): OrderContext => ({
    stores: {
      orders: {
        get: (key: string) => {
          const bytes = rows.get(key)
          return bytes === undefined ? undefined : serde.deserialize(bytes)
        },
        put: (key: string, row: OrderRow) => void rows.set(key, serde.serialize(row)),
        delete: (key: string) => void rows.delete(key),
      } as OrderContext['stores']['orders'],
      // Written and never read: what is in them is looked at on the engine.
      events: writeOnly as unknown as OrderContext['stores']['events'],
      byState: writeOnly as unknown as OrderContext['stores']['byState'],
      byUser: writeOnly as unknown as OrderContext['stores']['byUser'],
    },
    emit,
    timers: {
      due: {
        schedule: (key, at) => void due.set(key, at),
        cancel: (key) => void due.delete(key),
        dueAt: (key) => due.get(key),
      },
    },
    wallTime: now,
    deadLetter: () => undefined,
    dropped: () => undefined,
  })
  const taken = () => {
    const all = sent
    sent = []
    return Promise.resolve(all)
  }
  return {
    get now() {
      return now
    },
    send(message) {
      const origin = { topic: 't', partition: 0, offset: 0 } as LogRecord
      desk.process({ key: message.value.orderId, value: message, timestamp: now, origin }, context())
      return taken()
    },
    wait(ms) {
      const until = now + ms
      for (;;) {
        const next = [...due].filter(([, at]) => at <= until).toSorted(([, a], [, b]) => a - b)[0]
        if (next === undefined) break
        now = Math.max(now, next[1])
        due.delete(next[0])
        desk.due(next[0], context())
      }
      now = until
      return taken()
    },
    close: () => Promise.resolve(),
  }
}

/** Where each message comes from, by its name in the catalogue. */
export const TOPIC_OF = {
  CREATED: 'orderCreated',
  STOCK: 'stockReserveResult',
  POINTS: 'pointDeductResult',
  COUPON: 'couponUseResult',
  RESTORE: 'restoreResult',
  PAYMENT: 'paymentResult',
  REFUND: 'paymentRefundResult',
  DELIVERY: 'deliveryResult',
  DELIVERY_CANCEL: 'deliveryCancelResult',
  CANCEL: 'orderCancelRequested',
  RETURN: 'orderReturnRequested',
  REPAIR: 'orderRepairRequested',
} as const satisfies Record<OrderMessage['kind'], keyof typeof topics>

export async function engineHost(
  completeOn: 'started' | 'delivered',
  options: Partial<DriverOptions>,
): Promise<Host> {
  const topology = orders({ ...RULES, completeOn })
  const driver = await TopologyTestDriver.open({ topologies: [topology], now: START, ...options })
  const seen = new Map<OrderOutputName, number>()
  const news = (): OrderOutput[] =>
    orderOutputs.flatMap((topic) => {
      const all = driver.read(topics[topic] as unknown as Topic<OrderOutputValues[typeof topic]>)
      const fresh = all.slice(seen.get(topic) ?? 0)
      seen.set(topic, all.length)
      return fresh.map(({ value }) => ({ topic, value }) as OrderOutput)
    })
  return {
    get now() {
      return driver.clock.now()
    },
    async send({ kind, value }) {
      await driver.pipe(topics[TOPIC_OF[kind]] as never, value.orderId, value)
      return news()
    },
    async wait(ms) {
      await driver.advanceWallTime(ms, Math.max(1_000, Math.ceil(ms / 20)))
      return news()
    },
    close: () => driver.close(),
  }
}
