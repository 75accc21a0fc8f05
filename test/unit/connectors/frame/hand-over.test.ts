/** What a connector does between two assignments, and when it leaves its group: nobody is to deliver beside it. */
import { expect, onTestFinished, test } from 'vitest'
import { Unavailable } from '../../../../connectors/index.ts'
import {
  type Log,
  type Membership,
  StreamsError,
  systemClock,
  type TaskCommit,
} from '../../../../streams/index.ts'
import { ConnectorRig, connectorTo, events, Sink, until } from '../../../support/connector-rig.ts'

const TASK = { topology: 'connector-sink', subTopology: 0, partition: 0 }
const BOTH = [0, 1].map((partition) => ({ ...TASK, partition }))
/** What a log of a cluster tells of its members is told by the test; this log has epoch 1 only. */
const rest = { standbys: [], peers: [] }

function withEpochs(log: Log, onCommit: (epoch: number) => void | Promise<void>): Log {
  return new Proxy(log, {
    get(of, name) {
      if (name === 'commit')
        return async (some: readonly TaskCommit[]) => {
          await onCommit(some[0]?.epoch ?? 0)
          return of.commit(some.map((commit) => ({ ...commit, epoch: 1 })))
        }
      const value: unknown = Reflect.get(of, name, of)
      return typeof value === 'function' ? (value as () => unknown).bind(of) : value
    },
  })
}

async function turns(rig: ConnectorRig): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await rig.clock.yield()
}

test('no delivery and no commit begins between the end of an assignment and the next; a task that is kept goes on', async () => {
  const rig = await ConnectorRig.open('memory')
  const sink = new Sink()
  const commits: number[] = []
  const connector = connectorTo(sink)
  const log = withEpochs(rig.log, (epoch) => void commits.push(epoch))
  const runner = await rig.start(connector, { log })
  await runner.rebalancing()
  await rig.append(events, ['a'])
  await turns(rig)
  expect([sink.tries, commits]).toEqual([0, []])
  await runner.assigned({ epoch: 7, tasks: BOTH, ...rest })
  await until(async () => (await rig.committed(connector, events)) === 1)
  expect(commits).toEqual([7])
  expect(sink.values).toEqual(['a'])

  await runner.assigned({ epoch: 8, tasks: [], ...rest })
  expect(sink.closed).toBe(1)
  await runner.stop()
})

test('a delivery under way is committed before its task may move', async () => {
  const rig = await ConnectorRig.open('memory', systemClock)
  const sink = new Sink()
  const deliveries: (() => void)[] = []
  sink.before = () => new Promise((resolve) => deliveries.push(resolve))
  let commit = (): void => {}
  const log = withEpochs(rig.log, () => new Promise((resolve) => (commit = resolve)))
  const connector = connectorTo(sink, { delivery: { batchRecords: 1 } })
  await rig.topicsOf(connector)
  await rig.append(events, ['a', 'b'])
  const runner = await rig.start(connector, { log })
  onTestFinished(() => runner.stop())
  await until(() => deliveries.length === 1)
  const steps: string[] = []
  const rebalancing = runner.rebalancing().then(() => steps.push('may move'))
  await turns(rig)
  deliveries[0]?.()
  await until(() => sink.values.length === 1)
  await turns(rig)
  expect(steps).toEqual([])
  commit()
  await rebalancing
  expect(await rig.committed(connector, events)).toBe(1)
  await turns(rig)
  expect(sink.tries).toBe(1)
  await runner.assigned({ epoch: 2, tasks: [], ...rest })
})

test('nobody waits long for a delivery that does not end; it is told to once its task has moved', async () => {
  const rig = await ConnectorRig.open('memory')
  const sink = new Sink()
  const reasons: unknown[] = []
  sink.before = (_, signal) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        reasons.push(signal.reason)
        reject(signal.reason as Error)
      })
    })
  const connector = connectorTo(sink, { delivery: { timeoutMs: 1e12 } })
  await rig.topicsOf(connector)
  await rig.append(events, ['a'])
  const runner = await rig.start(connector)
  await until(() => sink.tries === 1)
  await runner.rebalancing()
  expect(reasons).toEqual([])
  await runner.assigned({ epoch: 2, tasks: [], ...rest })
  expect(reasons).toMatchObject([{ message: 'the task left' }])
  expect(await rig.committed(connector, events)).toBeUndefined()
  await runner.stop()
})

test('a connector that failed leaves its group for good, once its tasks have ended', async () => {
  const rig = await ConnectorRig.open('memory', systemClock)
  const sink = new Sink()
  let finish = (): void => {}
  const steps: string[] = []
  sink.before = async () => {
    await new Promise<void>((resolve) => (finish = resolve))
    steps.push('delivery ended')
  }
  const log = new Proxy(rig.log, {
    get(of, name) {
      if (name === 'join')
        return async (...args: Parameters<Log['join']>): Promise<Membership> => {
          const membership = await of.join(...args)
          return {
            leave: (how) => {
              steps.push(`left${how?.forGood === true ? ' for good' : ''}`)
              return membership.leave(how)
            },
          }
        }
      const value: unknown = Reflect.get(of, name, of)
      return typeof value === 'function' ? (value as () => unknown).bind(of) : value
    },
  })
  const connector = connectorTo(sink)
  await rig.topicsOf(connector)
  await rig.append(events, ['a'])
  const runner = await rig.start(connector, { log })
  await until(() => sink.tries === 1)
  runner.lost(new StreamsError('COMMIT_FENCED', 'somebody else has it'))
  await turns(rig)
  expect(steps).toEqual([])
  finish()
  await until(() => steps.length === 2)
  expect(steps).toEqual(['delivery ended', 'left for good'])
  expect(runner.state).toBe('failed')
  await runner.stop()
})

test('a task that leaves while it tries whether the target is back leaves that to others', async () => {
  const rig = await ConnectorRig.open('memory')
  const sink = new Sink()
  sink.before = (_, signal) => {
    if (sink.tries === 1) throw new Unavailable('down')
    if (sink.tries > 2) return
    return new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error))
    })
  }
  const connector = connectorTo(sink, { delivery: { breakAfter: 1, timeoutMs: 1e12 } })
  await rig.topicsOf(connector)
  await rig.append(events, ['a'])
  const runner = await rig.start(connector, { log: withEpochs(rig.log, () => {}) })
  await until(() => sink.tries === 2)
  expect(runner.breaker).toBe('half-open')
  await runner.assigned({ epoch: 2, tasks: [], ...rest })
  expect(runner.breaker).toBe('open')
  await runner.assigned({ epoch: 3, tasks: BOTH, ...rest })
  await until(async () => (await rig.committed(connector, events)) === 1)
  expect(runner.breaker).toBe('closed')
  await runner.stop()
})
