/**
 * Brings a task's own database up to its changelogs, for logs that keep no state.
 *
 * Data flow: changelog partition → overlay → one batch with the position → database, in slices. The position is stored
 * with the rows, so a restore that is interrupted goes on where it was, and after a crash only the delta is read.
 */
import type { StateBackend, TaskState, WriteOp } from '../state/index.ts'
import { StreamsError } from './errors.ts'
import type { SubTopology } from './graph.ts'
import type { Log } from './log.ts'
import type { Position } from './record.ts'
import type { TaskId } from './task-id.ts'

/** Changes applied per database batch. */
const SLICE_RECORDS = 2_000
/** Store name under which a task's timers are logged. */
const TIMERS = 'timers'
/** Where the position lies in the task's database; no store's name begins like this. */
const POSITIONS_KEY = Buffer.from('\x00changelog-positions')

export interface RestoreOptions {
  readonly log: Log
  readonly application: string
  readonly task: TaskId
  readonly subTopology: SubTopology
  readonly state: TaskState
  readonly backend: StateBackend
}

/** Changelog of a store, named as Kafka Streams names it; timers have one per sub-topology. */
export function changelogTopic(application: string, task: TaskId, store: string): string {
  const name =
    store === TIMERS ? `${task.topology}-${task.subTopology}-${TIMERS}` : `${task.topology}-${store}`
  return `${application}-${name}-changelog`
}

/** Every changelog that a task writes. */
export function changelogTopics(application: string, task: TaskId, subTopology: SubTopology): string[] {
  return [...subTopology.stores.map((spec) => spec.name), TIMERS].map((store) =>
    changelogTopic(application, task, store),
  )
}

/** The row that keeps the changelog positions beside the data they belong to. */
export function positionsRow(backend: StateBackend, positions: readonly Position[]): WriteOp {
  const key = Buffer.concat([backend.prefix, POSITIONS_KEY])
  return { type: 'put', key, value: Buffer.from(JSON.stringify(positions)) }
}

export function storedPositions(backend: StateBackend): readonly Position[] {
  const value = backend.get(Buffer.concat([backend.prefix, POSITIONS_KEY]))
  return value === undefined ? [] : (JSON.parse(value.toString()) as Position[])
}

/** Applies every change that the database lacks. Throws `RESET_REQUIRED` when the changelog lost what it needs. */
export async function restoreState(options: RestoreOptions): Promise<void> {
  const { application, task, subTopology, backend } = options
  const positions = new Map(storedPositions(backend).map((position) => [position.topic, position]))
  const stores = new Map(
    [...subTopology.stores.map((spec) => [spec.name, spec.version] as const), [TIMERS, 1] as const].map(
      ([store, version]) => [changelogTopic(application, task, store), { store, version }] as const,
    ),
  )
  for (const [topic, { store, version }] of stores) {
    const bounds = await options.log.bounds({ topic, partition: task.partition })
    const from = positions.get(topic)?.offset ?? bounds.start
    if (from > bounds.end) {
      throw new StreamsError(
        'RESET_REQUIRED',
        `${topic}-${task.partition} ends at ${bounds.end}, stored is ${from}`,
      )
    }
    await restoreStore(options, topic, store, version, from, bounds.end, positions)
  }
}

async function restoreStore(
  { log, task, state, backend }: RestoreOptions,
  topic: string,
  store: string,
  version: number,
  from: number,
  to: number,
  positions: Map<string, Position>,
): Promise<void> {
  const { partition } = task
  let readable = (): void => {}
  const reader = log.openReader({ topic, partition }, from, () => readable())
  try {
    while (reader.position < to) {
      const awake = new Promise<void>((resolve) => (readable = resolve))
      const records = reader.take(SLICE_RECORDS)
      if (reader.fault !== undefined) throw reader.fault
      if (records.length === 0) {
        await awake
        continue
      }
      for (const { key, value } of records) if (key !== null) state.applyChange(store, key, value, version)
      positions.set(topic, { topic, partition, offset: reader.position })
      const { ops } = state.seal()
      await backend.write([...ops, positionsRow(backend, [...positions.values()])])
      state.committed()
    }
  } finally {
    reader.close()
  }
}
