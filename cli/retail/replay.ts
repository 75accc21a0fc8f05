/**
 * Sends recorded orders to the log, in large batches, as fast as the pipeline takes them or at a given pace.
 *
 * Batches go one after the other: a return must not overtake its sale because an earlier batch had to be tried again.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Topics } from '../../schemas/index.ts'
import { type AppendRecord, isStreamsError, type Position } from '../../streams/index.ts'
import { type RetailEvent, RetailMapper, type RetailTotals } from './mapper.ts'
import { toRecord } from './records.ts'
import { retailRows } from './rows.ts'

/** Events of one append. */
const BATCH_EVENTS = 500
/** Milliseconds before an append that the log would not take just now is tried again. */
const RETRY_MS = 50
/** Milliseconds between two looks at the pace. */
const PACE_STEP_MS = 20
/** How long a refusal of the log is put up with before the replay gives up. */
const PATIENCE_MS = 60_000

export interface ReplayTarget {
  /** Their serdes encode the orders. */
  readonly topics: Topics
  append(records: readonly AppendRecord[]): Promise<readonly Position[]>
  /** Resolves once the pipeline is near enough to the end of these topics for more. */
  roomFor(topics: readonly string[], signal: AbortSignal): Promise<void>
}

export interface ReplayOptions {
  readonly files: readonly string[]
  /** Added to all times. */
  readonly shiftMs: number
  /** Times the recorded pace; absent: as fast as possible. */
  readonly speed?: number | undefined
  readonly signal: AbortSignal
  /** Called after each batch with the number of events so far. */
  readonly onProgress?: (events: number) => void
}

export interface Replayed {
  readonly totals: RetailTotals
  readonly events: number
  /** The next offset of each partition that got records. */
  readonly ends: readonly Position[]
  /** Event times after the shift, epoch milliseconds. */
  readonly firstAt: number
  readonly lastAt: number
}

/** What can be known of files before they are replayed. */
export interface RetailSpan {
  readonly events: number
  readonly firstSaleAt: number
  readonly lastSaleAt: number
}

/** Reads the files through once. Throws an `InputError`, also where they hold no sale. */
export async function measure(files: readonly string[]): Promise<RetailSpan | undefined> {
  let events = 0
  let firstSaleAt: number | undefined
  let lastSaleAt = 0
  for await (const event of retailEvents(files, new RetailMapper())) {
    events++
    if (event.kind !== 'sale') continue
    firstSaleAt ??= event.at
    lastSaleAt = event.at
  }
  return firstSaleAt === undefined ? undefined : { events, firstSaleAt, lastSaleAt }
}

export async function* retailEvents(
  files: readonly string[],
  mapper: RetailMapper,
): AsyncGenerator<RetailEvent> {
  for await (const row of retailRows(files)) yield* mapper.add(row)
  yield* mapper.end()
}

/** Rejects when `signal` fires, with what the log says when it takes no more, and with an `InputError`. */
export async function replay(target: ReplayTarget, options: ReplayOptions): Promise<Replayed> {
  const { files, shiftMs, speed, signal, onProgress } = options
  const mapper = new RetailMapper()
  const ends = new Map<string, Position>()
  const startedAt = performance.now()
  let batch: AppendRecord[] = []
  let events = 0
  let firstAt: number | undefined
  let lastAt = 0

  for await (const event of retailEvents(files, mapper)) {
    firstAt ??= event.at
    lastAt = event.at
    if (speed !== undefined && dueIn(event.at, firstAt) > 0) {
      await flush()
      while (dueIn(event.at, firstAt) > 0)
        await sleep(Math.min(PACE_STEP_MS, dueIn(event.at, firstAt)), undefined, { signal })
    }
    batch.push(toRecord(target.topics, event, shiftMs))
    if (batch.length >= BATCH_EVENTS) await flush()
  }
  await flush()
  return {
    totals: { ...mapper.totals },
    events,
    ends: [...ends.values()],
    firstAt: (firstAt ?? 0) + shiftMs,
    lastAt: lastAt + shiftMs,
  }

  function dueIn(at: number, first: number): number {
    return (at - first) / (speed ?? Number.POSITIVE_INFINITY) - (performance.now() - startedAt)
  }

  async function flush(): Promise<void> {
    if (batch.length === 0) return
    const records = batch
    batch = []
    await target.roomFor([...new Set(records.map(({ topic }) => topic))], signal)
    for (const { topic, partition, offset } of await appendPatiently(target, records, signal)) {
      ends.set(`${topic}-${partition}`, { topic, partition, offset: offset + 1 })
    }
    events += records.length
    onProgress?.(events)
  }
}

/** Tries again while the log is busy. */
async function appendPatiently(
  target: ReplayTarget,
  records: readonly AppendRecord[],
  signal: AbortSignal,
): Promise<readonly Position[]> {
  const deadline = performance.now() + PATIENCE_MS
  for (;;) {
    signal.throwIfAborted()
    try {
      return await target.append(records)
    } catch (error) {
      if (!isStreamsError(error, 'LOG_BUSY') || performance.now() > deadline) throw error
      await sleep(RETRY_MS, undefined, { signal })
    }
  }
}
