/** A database is open once at most, and who gives up waiting for it holds up nobody. */
import { expect, test } from 'vitest'
import { StateError } from '../../../state/index.ts'
import { ExclusiveDatabases } from '../../../streams/exclusive-databases.ts'
import type { TaskId } from '../../../streams/index.ts'
import { Places } from '../../../streams/places.ts'
import { MemoryStateDirectory } from '../../../testing/index.ts'

const task = { topology: 'sales', subTopology: 0, partition: 0 }
const other = { ...task, partition: 1 }
const gone = new Error('not wanted any more')

function open() {
  const directory = new MemoryStateDirectory()
  const told: [event: string, cause: Error][] = []
  const hooks = {
    onDatabaseSetAside: (_task: TaskId, damage: Error) => void told.push(['set aside', damage]),
    onDatabaseCloseFailed: (_task: TaskId, cause: Error) => void told.push(['close failed', cause]),
  }
  return { directory, told, databases: new ExclusiveDatabases(directory, hooks) }
}

/** What has happened once everything that is ready has run. */
async function settled<T>(promise: Promise<T>): Promise<T | 'waits'> {
  const waits = new Promise<'waits'>((resolve) => setImmediate(resolve, 'waits'))
  return Promise.race([promise, waits])
}

test('who opens a database waits for whoever has it; that of another task is no matter', async () => {
  const { databases } = open()
  const { signal } = new AbortController()
  const first = await databases.open(task, signal)
  const second = databases.open(task, signal)
  expect(await settled(second)).toBe('waits')
  await (await databases.open(other, signal)).close()
  await first.close()
  await (await second).close()
  expect(await settled(databases.allClosed())).toBe(undefined)
})

test('they come in order, and one that gives up is passed over', async () => {
  const { databases } = open()
  const { signal } = new AbortController()
  const impatient = new AbortController()
  const first = await databases.open(task, signal)
  const second = databases.open(task, impatient.signal)
  const third = databases.open(task, signal)
  impatient.abort(gone)
  await expect(second).rejects.toBe(gone)
  expect(await settled(third)).toBe('waits')
  await first.close()
  await (await third).close()
})

test('one that cannot be opened is free for the next, and a database that was damaged is made anew', async () => {
  const { directory, databases, told } = open()
  const { signal } = new AbortController()
  const whole = directory.open.bind(directory)
  directory.open = () => Promise.reject(new StateError('STATE_LOCKED', 'by another process'))
  await expect(databases.open(task, signal)).rejects.toMatchObject({ code: 'STATE_LOCKED' })
  directory.open = whole
  const database = await databases.open(task, signal)
  await database.backend.write([{ type: 'put', key: Buffer.from('k'), value: Buffer.from('v') }])
  await database.close()
  const damage = new StateError('STATE_CORRUPT', 'a row')
  const anew = await databases.open(task, signal, damage)
  expect(told).toEqual([['set aside', damage]])
  expect(anew.backend.get(Buffer.from('k'))).toBeUndefined()
  await anew.close()
})

test('F19: one that does not close well is told of once, and is free for the next', async () => {
  const { directory, databases, told } = open()
  const { signal } = new AbortController()
  const whole = directory.open.bind(directory)
  const failure = new StateError('STATE_IO', 'no space for the marker')
  directory.open = async (id) => ({ ...(await whole(id)), close: () => Promise.reject(failure) })
  const first = await databases.open(task, signal)
  await first.close()
  await first.close()
  expect(told).toEqual([['close failed', failure]])
  directory.open = whole
  await (await databases.open(task, signal)).close()
  await databases.allClosed()
})

test('one that is found damaged as it is opened is told of', async () => {
  const { directory, databases, told } = open()
  const whole = directory.open.bind(directory)
  const damage = new StateError('STATE_MISSING', 'no CURRENT')
  directory.open = (id) => {
    directory.open = whole
    return Promise.reject(damage).then(() => whole(id))
  }
  await (await databases.open(task, new AbortController().signal)).close()
  expect(told).toEqual([['set aside', damage]])
})

test('places are taken in turn, and one that is given up goes to the next', async () => {
  const places = new Places(1)
  const { signal } = new AbortController()
  const impatient = new AbortController()
  let leave = (): void => {}
  const first = places.take(signal, () => new Promise<void>((resolve) => (leave = resolve)))
  const second = places.take(impatient.signal, () => Promise.resolve('second'))
  const third = places.take(signal, () => Promise.resolve('third'))
  expect(await settled(third)).toBe('waits')
  impatient.abort(gone)
  await expect(second).rejects.toBe(gone)
  leave()
  await first
  expect(await third).toBe('third')
})
