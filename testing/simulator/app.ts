/** What a user gives to have topologies simulated: what runs, what is sent, and what must come of it. */
import type { AppendRecord, TaskId, Topology, TopicSpec, TopicUse } from '../../streams/index.ts'
import type { StateReader } from '../../state/index.ts'
import type { Random, TrueRecord } from '../../transports/simulated/index.ts'

/** A record from outside; the simulator gives it its lineage and, where it has none, its time. */
export type OutsideRecord = Pick<AppendRecord, 'topic' | 'key' | 'value'> & {
  readonly partition?: number
  readonly timestamp?: number
}

/** Where a record that was sent certainly lies. */
export interface AcceptedRecord {
  readonly record: OutsideRecord
  readonly partition: number
  readonly offset: number
}

/** One seed's load. It draws all its chance from the seed. */
export interface SimulatedLoad {
  /** Processed and committed before anything else is sent. */
  readonly first: readonly OutsideRecord[]
  /**
   * The next call of `append`: sent again and again until it is accepted, so that some of it may be there twice.
   * Undefined: that was all.
   */
  next(now: number): readonly OutsideRecord[] | undefined
}

export interface SimulatedOutcome {
  readonly accepted: readonly AcceptedRecord[]
  /** Every committed record of a topic, partition after partition, in the order of offsets. */
  records(topic: string): readonly TrueRecord[]
  /** The committed rows of a task where it runs now. */
  rows(task: TaskId): StateReader | undefined
}

export interface SimulatedApp {
  readonly topologies: readonly Topology[]
  readonly topicSpec: (use: TopicUse) => TopicSpec
  /** `now`: epoch milliseconds at the start. */
  load(random: Random, now: number): SimulatedLoad
  /** Whether everything is there that is to come; asked in the calm. True unless told. */
  isDone?(outcome: SimulatedOutcome): boolean
  /** What is wrong, in words; nothing where all is well. */
  judge(outcome: SimulatedOutcome): readonly string[]
}
