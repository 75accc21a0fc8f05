import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../../config/index.ts'
import {
  type AnyStoreSpec,
  dumpStore,
  type DumpedRow,
  isStateError,
  keyBeginning,
  timerStoreName,
  type UnreadableRow,
  verifyStores,
} from '../../state/index.ts'
import { findStore, isStreamsError, storedPositions, type Topology, taskName } from '../../streams/index.ts'
import { verifyLog } from '../../transports/embedded/index.ts'
import { closeAfter } from '../closing.ts'
import { configure } from '../configure.ts'
import type { Context } from '../context.ts'
import { CheckError, UsageError } from '../errors.ts'
import type { DumpFlags, StateFlags } from '../flags.ts'
import { count, table } from '../output.ts'
import { assertDirectory } from '../pipeline/embedded-shop-log.ts'
import { openStoredState, type StoredRows, type StoredState } from '../pipeline/stored-state.ts'
import { shopTopologies } from '../pipeline/topologies.ts'

type Counts = Readonly<Record<string, number>>

/** Reads everything; throws a `CheckError` where something of it is damaged, once all of it is told. */
export async function verifyState(context: Context, flags: StateFlags): Promise<void> {
  const { config } = configure(context, flags)
  const { output } = context
  const damages: string[] = []
  const found = (error: Error): void => {
    damages.push(error.message)
    if (flags.json !== true) output.data(`damaged: ${error.message}`)
  }
  const counts =
    config.kafka.brokers.length > 0 ? await verifyTasks(config, found) : await verifyAll(config, found)
  if (flags.json === true) output.data(JSON.stringify({ ...counts, damages }, null, 2))
  else output.data(table(['what', 'checked'], Object.entries(counts)))
  if (damages.length > 0)
    throw new CheckError(`${damages.length} damaged in ${config.dataDir}; nothing was changed`)
}

async function verifyAll(config: Config, found: (error: Error) => void): Promise<Counts> {
  assertDirectory(config)
  const { dataDir: directory, application } = config
  try {
    return { ...(await verifyLog({ directory, application }, found)) }
  } catch (error) {
    if (!isStreamsError(error, 'LOG_CORRUPT')) throw error
    found(error)
  }
  try {
    // A damaged table keeps the log from being opened; its rows may tell more.
    return { ...(await verifyLog({ directory, application, checkTables: false }, found)) }
  } catch (error) {
    if (!isStreamsError(error) && !isStateError(error)) throw error
    found(error)
    return {}
  }
}

async function verifyTasks(config: Config, found: (error: Error) => void): Promise<Counts> {
  const state = await openStoredState(config)
  const check = async (): Promise<Counts> => {
    let rows = 0
    for (const task of state.tasks) {
      const told = (error: Error): void => found(new Error(`${taskName(task)}: ${error.message}`))
      try {
        rows += await verifyTask(await state.open(task), told)
      } catch (error) {
        if (!isStateError(error)) throw error
        told(error)
      }
    }
    return { tasks: state.tasks.length, rows }
  }
  return closeAfter(check, () => state.close())
}

async function verifyTask(rows: StoredRows, told: (error: Error) => void): Promise<number> {
  try {
    const stores = await verifyStores(rows.reader, told)
    storedPositions(rows.reader)
    return [...stores.values()].reduce((sum, some) => sum + some, 0)
  } finally {
    await rows.close()
  }
}

interface StoreName {
  readonly topology: string
  readonly store: string
}

/** Prints a store; throws a `CheckError` where a row of it cannot be read. */
export async function dumpState(context: Context, name: StoreName, flags: DumpFlags): Promise<void> {
  const { config } = configure(context, flags)
  const state = await openStoredState(config)
  let unreadable = 0
  const dump = async (): Promise<void> => {
    const rows = rowsOf(state, name, flags)
    await context.output.lines(
      linesOf(rows, () => {
        unreadable++
      }),
    )
  }
  await closeAfter(dump, () => state.close())
  if (unreadable > 0) throw new CheckError(`${unreadable} rows cannot be read`)
}

type Row = { readonly task: string } & (DumpedRow | UnreadableRow)

async function* rowsOf(
  state: StoredState,
  { topology, store }: StoreName,
  { prefix = '', limit = Number.POSITIVE_INFINITY }: DumpFlags,
): AsyncGenerator<Row> {
  const known = shopTopologies(state.config).all.find(({ name }) => name === topology)
  const tasks = state.tasks.filter((task) => task.topology === topology)
  refuseUnknown(known, tasks.length, { topology, store })
  const found = known === undefined ? undefined : findStore(known, store)
  const begins = beginning(found?.spec, prefix)
  let left = limit
  for (const task of tasks) {
    if (found !== undefined && found.subTopology.id !== task.subTopology) continue
    const rows = await state.open(task)
    try {
      for await (const row of dumpStore(rows.reader, { store, spec: found?.spec, begins })) {
        if (left-- <= 0) return
        yield { task: taskName(task), ...row }
      }
    } finally {
      await rows.close()
    }
  }
}

/** Throws a `UsageError` for a prefix that no key has. */
function beginning(spec: AnyStoreSpec | undefined, prefix: string): string {
  try {
    return keyBeginning(spec, prefix)
  } catch (cause) {
    throw new UsageError(`--prefix: ${(cause as TypeError).message}`, { cause })
  }
}

/** Throws a `UsageError` for a topology that is neither in the program nor in the directory, and for a store likewise. */
function refuseUnknown(known: Topology | undefined, tasks: number, { topology, store }: StoreName): void {
  if (known === undefined && tasks === 0)
    throw new UsageError(`there is no topology ${topology}, neither in the program nor in the directory`)
  if (known === undefined || store === timerStoreName || findStore(known, store) !== undefined) return
  const names = known.subTopologies.flatMap(({ stores }) => stores.map((spec) => spec.name))
  throw new UsageError(`${topology} has no store ${store}; it has ${[...names, timerStoreName].join(', ')}`)
}

async function* linesOf(rows: AsyncIterable<Row>, onUnreadable: () => void): AsyncGenerator<string> {
  for await (const row of rows) {
    if ('error' in row) onUnreadable()
    yield JSON.stringify(row, plain)
  }
}

/** What JSON has no word for: large numbers as text, bytes in base64. */
function plain(this: unknown, name: string, value: unknown): unknown {
  // A buffer has been turned into an object by the time it gets here.
  const given = (this as Record<string, unknown>)[name]
  if (given instanceof Uint8Array) return Buffer.from(given).toString('base64')
  return typeof value === 'bigint' ? String(value) : value
}

/** Writes everything anew and says what that was good for. */
export async function compactState(context: Context, flags: StateFlags): Promise<void> {
  const { config } = configure(context, flags)
  const state = await openStoredState(config)
  const bytesBefore = await bytesIn(config.dataDir)
  await closeAfter(
    () => state.compact(),
    () => state.close(),
  )
  const bytesAfter = await bytesIn(config.dataDir)
  if (flags.json === true) context.output.data(JSON.stringify({ bytesBefore, bytesAfter }))
  else
    context.output.say(`Compacted ${config.dataDir}: ${count(bytesBefore)} bytes, now ${count(bytesAfter)}.`)
}

async function bytesIn(directory: string): Promise<number> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  const sizes = await Promise.all(
    files.map(async (file) => (await stat(join(file.parentPath, file.name))).size),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}
