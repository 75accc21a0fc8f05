/**
 * Makes a target of a function for one record.
 *
 * Records of the same key are delivered one after the other, in their order; those of different keys beside each other.
 * Each has an outcome of its own: what was delivered before another record failed is not delivered again with the next
 * try of the batch, as long as the process lives.
 */
import { positionText } from '../../streams/index.ts'
import type { Batch, Delivered, Incoming, Produced, Rejected, Target } from './connector.ts'
import { isUnavailable } from './failures.ts'

/** Nothing: it is delivered. `rejected`: it never will be, and why. */
export type RecordOutcome =
  | undefined
  | { readonly outputs: readonly Omit<Produced, 'because'>[] }
  | { readonly rejected: string }

export interface EachRecordOptions {
  /** Records under way at a time. */
  readonly concurrency: number
  /** Rejects as {@link Target.deliver} does, for this record alone. */
  // oxlint-disable-next-line typescript/no-invalid-void-type -- a function that answers nothing has delivered
  readonly deliver: (record: Incoming, signal: AbortSignal) => Promise<RecordOutcome | void>
  readonly close?: (() => Promise<void>) | undefined
}

export function eachRecord({ concurrency, deliver, close }: EachRecordOptions): Target {
  /** Outcomes of records of a batch that is not through, by position: who makes eventIds may make one twice. */
  const done = new Map<string, RecordOutcome>()
  return {
    async deliver(batch, signal) {
      await deliverAll(batch, { concurrency, deliver, done, signal })
      const delivered = together(batch, done)
      for (const record of batch.records) done.delete(positionText(record))
      return delivered
    },
    async close() {
      await close?.()
    },
  }
}

interface Work {
  readonly concurrency: number
  readonly deliver: EachRecordOptions['deliver']
  readonly done: Map<string, RecordOutcome>
  readonly signal: AbortSignal
}

/** Rejects with what a record failed with, an unavailable target first; then none is under way. */
async function deliverAll({ records }: Batch, { concurrency, deliver, done, signal }: Work): Promise<void> {
  const chains = [...Map.groupBy(records, keyOf).values()]
  const failures: unknown[] = []
  let isOver = false
  const work = async (): Promise<void> => {
    for (let chain = chains.shift(); chain !== undefined; chain = chains.shift()) {
      try {
        for (const record of chain) {
          if (isOver || signal.aborted) return
          const at = positionText(record)
          if (!done.has(at)) done.set(at, (await deliver(record, signal)) ?? undefined)
        }
      } catch (error) {
        failures.push(error)
        // The others would only find the same.
        isOver ||= isUnavailable(error)
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(concurrency, chains.length) }, work))
  if (failures.length > 0) throw failures.find(isUnavailable) ?? failures[0]
  signal.throwIfAborted()
}

/** A record without a key is in order with nobody. */
function keyOf(record: Incoming): string {
  const { recordKey } = record
  if (recordKey === null || recordKey === undefined) return positionText(record)
  return typeof recordKey === 'string' ? `=${recordKey}` : JSON.stringify(recordKey)
}

function together({ records }: Batch, done: ReadonlyMap<string, RecordOutcome>): Delivered {
  const outputs: Produced[] = []
  const rejected: Rejected[] = []
  for (const record of records) {
    const outcome = done.get(positionText(record))
    if (outcome === undefined) continue
    if ('rejected' in outcome) rejected.push({ record, reason: outcome.rejected })
    else for (const output of outcome.outputs) outputs.push({ ...output, because: record })
  }
  return { outputs, rejected }
}
