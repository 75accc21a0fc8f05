/** Whole orders at a fixed rate, open loop: the clock of an order starts when it was due. Generator and engine share one process. */
import { setTimeout as delay } from 'node:timers/promises'
import { topics } from '../schemas/index.ts'
import type { Log, Streams } from '../streams/index.ts'
import { round } from './harness.ts'
import { orderRecord } from './order-load.ts'

const TAKE_ROWS = 1_000
const LOOK_EVERY_MS = 5

export interface OpenLoop {
  /** Orders per second. */
  readonly rate: number
  /** Before anything is measured. */
  readonly warmUpS: number
  readonly seconds: number
}

export function ordersOf({ rate, warmUpS, seconds }: OpenLoop): number {
  return rate * (warmUpS + seconds)
}

/** Until the log has an order (accepted), and until its `order.completed` is read. Throws what stopped a task. */
export async function orderLatencies(log: Log, streams: Streams, loop: OpenLoop) {
  const count = ordersOf(loop)
  const dueAt = new Map<string, number>()
  const acceptedMs: number[] = []
  const completedMs: number[] = []
  let completed = 0
  const close = onCompleted(log, (orderId) => {
    completed++
    const due = dueAt.get(orderId)
    if (due !== undefined) completedMs.push(performance.now() - due)
  })
  const append = async (index: number, due: number): Promise<void> => {
    await log.append([orderRecord(index)])
    if (index >= loop.rate * loop.warmUpS) acceptedMs.push(performance.now() - due)
  }
  const appends: Promise<void>[] = []
  const begin = performance.now()
  const dueOf = (index: number): number => begin + (index * 1_000) / loop.rate
  for (let index = 0; index < count; ) {
    for (; index < count && dueOf(index) <= performance.now(); index++) {
      if (index >= loop.rate * loop.warmUpS) dueAt.set(`order-${index}`, dueOf(index))
      appends.push(append(index, dueOf(index)))
    }
    await delay(1)
  }
  await Promise.all(appends)
  while (completed < count) {
    const failure = streams.runners.flatMap(({ tasks }) => tasks.map((task) => task.failure)).find(Boolean)
    if (failure !== undefined) throw failure
    await delay(LOOK_EVERY_MS)
  }
  close()
  return {
    'orders/s': loop.rate,
    'accepted p50 ms': at(acceptedMs, 0.5),
    'accepted p99 ms': at(acceptedMs, 0.99),
    'COMPLETED p50 ms': at(completedMs, 0.5),
    'COMPLETED p99 ms': at(completedMs, 0.99),
  }
}

/** Tells of every order that is complete, from the beginning of the topic; answers what ends it. */
function onCompleted(log: Log, told: (orderId: string) => void): () => void {
  const { name: topic } = topics.orderCompleted
  const readers = Array.from({ length: log.partitions(topic) }, (_, partition) => {
    const reader = log.openReader({ topic, partition }, 0, () => take())
    const take = (): void => {
      for (let records = reader.take(TAKE_ROWS); records.length > 0; records = reader.take(TAKE_ROWS))
        for (const { key } of records) told(String(key))
    }
    take()
    return reader
  })
  return () => {
    for (const reader of readers) reader.close()
  }
}

function at(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN)
}
