/** A crash at each step of a delivery, and assignments that are not current any more. */
import { expect, onTestFinished, test } from 'vitest'
import type { Batch, Target } from '../../../../connectors/index.ts'
import {
  type Log,
  outputsCrc,
  type Position,
  StreamsError,
  type TaskCommit,
} from '../../../../streams/index.ts'
import type { MemoryLog } from '../../../../transports/simulated/index.ts'
import {
  answers,
  ConnectorRig,
  connectorTo,
  events,
  numbers,
  Sink,
  until,
} from '../../../support/connector-rig.ts'

const TASK = { topology: 'connector-sink', subTopology: 0, partition: 0 }

/** The log as a process that dies at its commits sees it. */
function dyingAtCommits(log: Log, dies: () => boolean): Log {
  return new Proxy(log, {
    get(of, name) {
      if (name === 'commit')
        return (commits: readonly TaskCommit[]) =>
          dies() ? Promise.reject(new StreamsError('LOG_CLOSED', 'the process is dead')) : of.commit(commits)
      const value: unknown = Reflect.get(of, name, of)
      return typeof value === 'function' ? (value as () => unknown).bind(of) : value
    },
  })
}

/** Keeps rows and positions together, as a database does in one transaction. */
class Database implements Target {
  readonly rows: string[]
  readonly stored: Map<string, Position>
  dies = false
  readonly bad = new Set<string>()

  constructor(before?: Database) {
    this.rows = before?.rows ?? []
    this.stored = before?.stored ?? new Map()
  }

  get positions(): readonly Position[] {
    return [...this.stored.values()]
  }

  rejects({ value }: { readonly value: string }): string | undefined {
    return value === '13' ? 'unlucky' : undefined
  }

  deliver({ records, next }: Batch): Promise<object> {
    if (records.some(({ value }) => this.bad.has(value as string)))
      return Promise.reject(new RangeError('out of range'))
    this.rows.push(...records.map(({ value }) => value as string))
    for (const position of next) this.stored.set(position.topic, position)
    return Promise.resolve({})
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

test('a crash between target and commit brings the batch again with the same keys, one after the commit does not', async () => {
  const rig = await ConnectorRig.open('embedded')
  onTestFinished(() => rig.log.close())
  const sink = new Sink()
  sink.answer = ({ records }) => ({
    outputs: records.map((because) => {
      return { topic: answers, key: 'k', value: `${because.value}`, timestamp: 1, because }
    }),
  })
  const connector = connectorTo(sink)
  await rig.topicsOf(connector)
  await rig.append(events, ['a', 'b'])
  const first = await rig.start(connector, { log: dyingAtCommits(rig.log, () => true) })
  await until(() => first.state === 'failed')
  await first.stop()
  expect(sink.values).toEqual(['a', 'b'])

  await rig.reopen()
  const second = await rig.start(connector)
  await until(async () => (await rig.committed(connector, events)) === 2)
  await second.stop()
  expect(sink.values).toEqual(['a', 'b', 'a', 'b'])
  const keys = sink.taken.map(({ key }) => key)
  expect(keys.slice(0, 2)).toEqual(keys.slice(2))

  await rig.reopen()
  const third = await rig.start(connector)
  await rig.append(events, ['c'])
  await until(async () => (await rig.committed(connector, events)) === 3)
  await third.stop()
  expect(sink.values).toEqual(['a', 'b', 'a', 'b', 'c'])
  const partitions = await Promise.all(
    [0, 1].map((partition) => rig.log.bounds({ topic: 'answers', partition })),
  )
  expect(partitions.reduce((sum, { end }) => sum + end, 0)).toBe(3)
})

test('a target with positions is given nothing again after a crash, and no dead letter is missing', async () => {
  const rig = await ConnectorRig.open('embedded')
  onTestFinished(() => rig.log.close())
  const database = new Database()
  const connector = connectorTo(database, { inputs: [numbers] })
  await rig.topicsOf(connector)
  await rig.append(numbers, ['1', 'two', '13', '4'])
  const first = await rig.start(connector, { log: dyingAtCommits(rig.log, () => true) })
  await until(() => first.state === 'failed')
  await first.stop()
  expect(database.rows).toEqual(['1', '4'])
  expect(await rig.values('numbers.dlq')).toEqual([])

  await rig.reopen()
  const again = connectorTo(new Database(database), { inputs: [numbers] })
  const second = await rig.start(again)
  await rig.append(numbers, ['5'])
  await until(async () => (await rig.committed(again, numbers)) === 5)
  await second.stop()
  expect(database.rows).toEqual(['1', '4', '5'])
  expect(await rig.values('numbers.dlq')).toEqual(['two', '13'])
})

test('dead letters between the position of the log and that of the target are written after a crash', async () => {
  const rig = await ConnectorRig.open('memory')
  const database = new Database()
  const connector = connectorTo(database, { inputs: [numbers] })
  await rig.topicsOf(connector)
  let isDying = false
  const first = await rig.start(connector, { log: dyingAtCommits(rig.log, () => isDying) })
  await rig.append(numbers, ['1'])
  await until(async () => (await rig.committed(connector, numbers)) === 1)
  isDying = true
  await rig.append(numbers, ['two', '13', '4'])
  await until(() => first.state === 'failed')
  await first.stop()
  expect(database.rows).toEqual(['1', '4'])

  await rig.reopen()
  const second = await rig.start(connectorTo(new Database(database), { inputs: [numbers] }))
  await until(async () => (await rig.committed(connector, numbers)) === 4)
  await second.stop()
  expect(database.rows).toEqual(['1', '4'])
  expect(await rig.values('numbers.dlq')).toEqual(['two', '13'])
})

test('a record that fails alone at a target with positions is set aside before the next one is delivered', async () => {
  const rig = await ConnectorRig.open('memory')
  const database = new Database()
  database.bad.add('2')
  const connector = connectorTo(database, { inputs: [numbers], delivery: { attempts: 2 } })
  await rig.topicsOf(connector)
  await rig.append(numbers, ['1', '2', '3'])
  const runner = await rig.start(connector)
  await until(async () => (await rig.committed(connector, numbers)) === 3)
  await runner.stop()
  expect(database.rows).toEqual(['1', '3'])
  expect(await rig.values('numbers.dlq')).toEqual(['2'])
  const log = rig.log as MemoryLog
  expect(log.journal(TASK).map(({ inputs }) => inputs)).toEqual(
    [0, 1, 2].map((firstOffset) => [{ topic: 'numbers', partition: 0, firstOffset, count: 1 }]),
  )
})

test('the last records of a target with positions are refused once, however often it starts', async () => {
  const rig = await ConnectorRig.open('memory')
  const database = new Database()
  const letters: string[] = []
  await rig.topicsOf(connectorTo(database, { inputs: [numbers] }))
  await rig.append(numbers, ['1', 'two', '13'])
  for (let start = 0; start < 3; start++) {
    // In batches of their own: with a record that the target takes, it is given the position behind them.
    const delivery = { batchRecords: 1 }
    const connector = connectorTo(new Database(database), { inputs: [numbers], delivery })
    const runner = await rig.start(connector, {
      hooks: { onRejected: (_name, _topic, reason) => letters.push(reason) },
    })
    const log = rig.log as MemoryLog
    await until(() => log.journal(TASK).length === 3 + 2 * start)
    expect(await rig.committed(connector, numbers)).toBe(3)
    await runner.stop()
    await rig.reopen()
  }
  expect(database.rows).toEqual(['1'])
  expect(await rig.values('numbers.dlq')).toEqual(['two', '13'])
  expect(letters).toEqual(['DeserializationError', 'unlucky'])
})

test('the last record of a target with positions fails alone again at each start, and has one dead letter', async () => {
  const rig = await ConnectorRig.open('memory')
  const database = new Database()
  await rig.topicsOf(connectorTo(database, { inputs: [numbers] }))
  await rig.append(numbers, ['1', '2'])
  let failures = 0
  for (let start = 1; start <= 3; start++) {
    const now = new Database(database)
    now.bad.add('2')
    const connector = connectorTo(now, { inputs: [numbers], delivery: { attempts: 1 } })
    const runner = await rig.start(connector, {
      hooks: { onFailure: (_name, _kind, _cause, final) => (failures += final ? 1 : 0) },
    })
    // The first time with the record before it, then by itself.
    await until(() => failures === start + 1)
    await until(async () => (await rig.committed(connector, numbers)) === 2)
    await runner.stop()
    await rig.reopen()
  }
  expect(await rig.values('numbers.dlq')).toEqual(['2'])
  // A database that lost it all is given all of it, and the log has the dead letter of what it does not take.
  // A crash in the middle of that leaves the log where it was.
  const emptied = new Database()
  emptied.bad.add('2')
  const connector = connectorTo(emptied, { inputs: [numbers], delivery: { attempts: 1, batchRecords: 1 } })
  let commits = 0
  const dying = await rig.start(connector, { log: dyingAtCommits(rig.log, () => ++commits > 1) })
  await until(() => dying.state === 'failed')
  await dying.stop()
  expect(await rig.committed(connector, numbers)).toBe(2)
  await rig.reopen()
  await rig.append(numbers, ['3'])
  const runner = await rig.start(connector)
  await until(async () => (await rig.committed(connector, numbers)) === 3)
  await runner.stop()
  expect(emptied.rows).toEqual(['1', '3'])
  expect(await rig.values('numbers.dlq')).toEqual(['2'])
})

test('I24: the journal says what was taken and what came out', async () => {
  const rig = await ConnectorRig.open('memory')
  const sink = new Sink()
  const connector = connectorTo(sink, { inputs: [numbers] })
  await rig.topicsOf(connector)
  await rig.append(numbers, ['1', 'x', '2'])
  const runner = await rig.start(connector)
  await until(async () => (await rig.committed(connector, numbers)) === 3)
  await runner.stop()
  const [batch, ...more] = (rig.log as MemoryLog).journal(TASK)
  expect(more).toEqual([])
  expect(batch?.inputs).toEqual([{ topic: 'numbers', partition: 0, firstOffset: 0, count: 3 }])
  const letters = (await rig.records('numbers.dlq')).map((record) => ({
    ...record,
    lineage: record.lineage ?? { eventId: '' },
  }))
  expect(batch?.outputsCrc).toBe(outputsCrc(letters))
})

test('the commit of an assignment that is over is refused, whole', async () => {
  const rig = await ConnectorRig.open('memory')
  const late = new Sink()
  let finish = (): void => {}
  late.before = () => new Promise((resolve) => (finish = resolve))
  const fresh = new Sink()
  for (const sink of [late, fresh])
    sink.answer = ({ records: [because] }) =>
      because === undefined
        ? {}
        : { outputs: [{ topic: answers, key: 'k', value: 'once', timestamp: 1, because }] }
  const connector = connectorTo(late, { delivery: { timeoutMs: 1e12, backoffMs: 1e9, maxBackoffMs: 1e9 } })
  await rig.topicsOf(connector)
  await rig.append(events, ['a'])
  const failures: unknown[] = []
  const first = await rig.start(connector, {
    hooks: {
      onFailure: (_name, kind, cause) => failures.push([kind, Reflect.get(cause, 'code')]),
    },
  })
  await until(() => late.tries === 1)
  // Another process has the task by now; this one does not know yet.
  const second = await rig.start(connectorTo(fresh))
  await until(async () => (await rig.committed(connector, events)) === 1)
  finish()
  await until(() => failures.length > 0)
  expect(failures[0]).toEqual(['log', 'COMMIT_FENCED'])
  await Promise.all([first.stop(), second.stop()])
  const bounds = await Promise.all([0, 1].map((partition) => rig.log.bounds({ topic: 'answers', partition })))
  expect(bounds.reduce((sum, { end }) => sum + end, 0)).toBe(1)
})

test('what was not delivered of a batch yet comes after a crash, also of an input that nothing was committed of', async () => {
  const rig = await ConnectorRig.open('memory')
  const sink = new Sink()
  sink.before = ({ records }) => {
    if (records.length > 1) throw new RangeError('one at a time')
  }
  const options = { inputs: [events, numbers], delivery: { attempts: 1 } }
  await rig.topicsOf(connectorTo(sink, options))
  await rig.append(events, ['a', 'b'])
  await rig.append(numbers, ['1'])
  let commits = 0
  const first = await rig.start(connectorTo(sink, options), {
    log: dyingAtCommits(rig.log, () => ++commits > 1),
  })
  await until(() => first.state === 'failed')
  await first.stop()
  expect(sink.values).toEqual(['a', 'b'])

  await rig.reopen()
  const again = new Sink()
  const connector = connectorTo(again, options)
  const second = await rig.start(connector)
  await until(
    async () =>
      (await rig.committed(connector, events)) === 2 && (await rig.committed(connector, numbers)) === 1,
  )
  await second.stop()
  expect(again.values).toEqual(['b', '1'])
})

test('a target that is ahead of the log, which was restored from a copy, is given nothing: what it gets are other records', async () => {
  const rig = await ConnectorRig.open('memory')
  onTestFinished(() => rig.log.close())
  const database = new Database()
  database.stored.set(events.name, { topic: events.name, partition: 0, offset: 3 })
  const connector = connectorTo(database)
  await rig.topicsOf(connector)
  await rig.append(events, ['a', 'b'])
  const runner = await rig.start(connector)
  const failures = async () => (await runner.view()).tasks.map(({ failure }) => failure)
  await until(async () => (await failures()).some((failure) => failure !== undefined))
  expect(await failures()).toContainEqual(
    expect.stringContaining('the target is at 3, and events-0 ends at 2'),
  )
  expect(database.rows).toEqual([])
  await runner.stop()
})
