/** What must hold of every app: nothing accepted is lost, nothing is there twice, stores are what their changelogs say. */
import { memoryBackend, type StateReader, TaskState } from '../../state/index.ts'
import { changelogTopic, type TaskId, taskName, type Topology } from '../../streams/index.ts'
import type { SimulatedDisk, SimulatedWorld, TrueRecord } from '../../transports/simulated/index.ts'
import type { AcceptedRecord } from './app.ts'

const PAGE_ROWS = 1_000
const TIMERS = 'timers'
/** Rows that the engine and the database keep for themselves. */
const OWN_ROWS = 0x00
/** `store 02` says which indexes a store was written with; a store that was emptied has it, a rebuilt one may not. */
const DESCRIPTOR_ROW = /^(?:[2-7][0-9a-f])+02$/

/** Lost writes, and duplicates among what was sent. `resent`: event ids that were sent again. */
export function judgeAccepted(
  world: SimulatedWorld,
  accepted: readonly AcceptedRecord[],
  resent: ReadonlySet<string>,
): string[] {
  const complaints: string[] = []
  for (const topic of new Set(accepted.map(({ record }) => record.topic))) {
    const records = world.records(topic)
    const byPlace = new Map(records.map((record) => [`${record.partition} ${record.offset}`, record]))
    for (const { record, partition, offset } of accepted) {
      if (record.topic !== topic) continue
      const found = byPlace.get(`${partition} ${offset}`)
      const isSame = isEqual(found?.key, record.key) && isEqual(found?.value, record.value)
      if (found === undefined || !isSame) complaints.push(`lost write: ${topic}-${partition} at ${offset}`)
    }
    complaints.push(...judgeOnce(topic, records, resent))
  }
  return complaints
}

/** Every output has an id of its own, which the same input gives again. Clients may write to the same topics. */
export function judgeOutputs(
  world: SimulatedWorld,
  topics: readonly string[],
  resent: ReadonlySet<string>,
): string[] {
  return topics.flatMap((topic) => judgeOnce(topic, world.records(topic), resent))
}

function judgeOnce(topic: string, records: readonly TrueRecord[], resent: ReadonlySet<string>): string[] {
  return duplicates(records)
    .filter((id) => !resent.has(id))
    .map((id) => `duplicate: ${topic} ${id}`)
}

function duplicates(records: readonly TrueRecord[]): string[] {
  const seen = new Set<string>()
  return records.flatMap(({ headers }) => {
    const id = headers.find(([name]) => name === 'eventId')?.[1]?.toString()
    if (id === undefined) return []
    const isAgain = seen.has(id)
    seen.add(id)
    return isAgain ? [id] : []
  })
}

/** I24: the rows of a task on a machine's disk are those that its changelogs give. */
export async function judgeRows(
  world: SimulatedWorld,
  application: string,
  topology: Topology,
  task: TaskId,
  disk: SimulatedDisk,
): Promise<string[]> {
  const backend = memoryBackend()
  const subTopology = topology.subTopologies[task.subTopology]
  if (subTopology === undefined) return []
  const state = new TaskState({ reader: backend, specs: subTopology.stores, withChanges: false })
  const stores = [
    ...subTopology.stores.map(({ name, version }) => ({ name, version })),
    { name: TIMERS, version: 1 },
  ]
  for (const { name, version } of stores) {
    const records = world.records(changelogTopic(application, task, name))
    for (const { partition, key, value } of records)
      if (partition === task.partition && key !== null) state.applyChange(name, key, value, version)
  }
  await backend.write(state.seal().ops)
  const expected = await rowsOf(backend)
  const live = disk.rows(task)
  const found = live === undefined ? new Map<string, Buffer>() : await rowsOf(live)
  for (const row of new Set([...expected.keys(), ...found.keys()])) {
    const value = found.get(row)
    if (value !== undefined && expected.get(row)?.equals(value)) continue
    if (value !== undefined && disk.isFlipped(task, Buffer.from(row, 'hex'), value)) continue
    const what = found.has(row) ? (expected.has(row) ? 'differs' : 'is in no changelog') : 'is missing'
    return [`I24: ${taskName(task)}: row ${row} ${what}; ${found.size} rows of ${expected.size}`]
  }
  return []
}

async function rowsOf(reader: StateReader): Promise<Map<string, Buffer>> {
  const rows = new Map<string, Buffer>()
  const lt = Buffer.alloc(64, 0xff)
  for (let gte = Buffer.alloc(0); ; ) {
    const page = await reader.page({ gte, lt }, { limit: PAGE_ROWS })
    for (const { key, value } of page) {
      const row = key.toString('hex')
      if (key[0] !== OWN_ROWS && !DESCRIPTOR_ROW.test(row)) rows.set(row, value)
    }
    const last = page.at(-1)
    if (last === undefined || page.length < PAGE_ROWS) return rows
    gte = Buffer.concat([last.key, Buffer.of(0)])
  }
}

function isEqual(one: Buffer | null | undefined, other: Buffer | null): boolean {
  if (one === undefined || one === null || other === null) return one === other
  return one.equals(other)
}
