/** Where a task begins to read its inputs. */
import { type AnyTopic, type Log, type Position, StreamsError } from '../../streams/index.ts'

export interface StartsOptions {
  readonly log: Log
  readonly inputs: readonly AnyTopic[]
  readonly partition: number
  /** As the log has them. */
  readonly committed: readonly Position[]
  /** As the target has them, if it keeps any. */
  readonly taken: readonly Position[] | undefined
}

/**
 * Throws `OFFSET_OUT_OF_RANGE` where the target is ahead of the log's end: the log was restored from an older copy, and
 * what it gets now under those offsets are other records than the target has.
 */
export function startsOf(options: StartsOptions): Promise<Position[]> {
  const { log, inputs, partition, committed, taken } = options
  return Promise.all(
    inputs.map(async ({ name: topic }) => {
      const at = (some: readonly Position[]): number | undefined =>
        some.find((one) => one.topic === topic && one.partition === partition)?.offset
      const { start, highWatermark } = await log.bounds({ topic, partition })
      const fromLog = at(committed) ?? start
      if (taken === undefined) return { topic, partition, offset: fromLog }
      const fromTarget = at(taken) ?? start
      if (fromTarget > highWatermark) {
        const where = `${topic}-${partition} ends at ${highWatermark}`
        throw new StreamsError('OFFSET_OUT_OF_RANGE', `the target is at ${fromTarget}, and ${where}`)
      }
      // What only the log is to have, dead letters, may be missing up to where the target is; what the target is to have
      // up to where the log is, where it was emptied or restored.
      return { topic, partition, offset: Math.min(fromTarget, fromLog) }
    }),
  )
}
