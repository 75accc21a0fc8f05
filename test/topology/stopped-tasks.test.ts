/** What a task that stopped still answers, and what stops one: input, code, rights, and work that does not end. */
import { describe, expect, test } from 'vitest'
import { keys, keyValueStore, serdes, StateError } from '../../state/index.ts'
import { processor, shape, StreamsError, type TaskId, topology } from '../../streams/index.ts'
import { ManualClock, MemoryStateDirectory } from '../../testing/index.ts'
import { ClusterError } from '../../transports/kafka/errors.ts'
import { MemoryLog } from '../../transports/simulated/index.ts'
import { guidedLog } from '../support/guided-log.ts'
import { StepEngine } from '../support/step-engine.ts'
import { stringTopic } from '../support/topics.ts'

const START = Date.UTC(2026, 0, 1)
const lines = stringTopic('lines')
const counts = stringTopic('counts')
const seen = keyValueStore({ name: 'seen', key: keys.string, value: serdes.json<number>() })

const counting = topology('counting', (t) => {
  const count = processor({
    name: 'count',
    input: shape<string, string>(),
    stores: { seen },
    process(record, { stores }) {
      if (record.value === 'poison') throw new Error('unlucky')
      stores.seen.put(record.key, (stores.seen.get(record.key) ?? 0) + 1)
    },
  })
  t.stream(lines).process(count)
})
const task: TaskId = { topology: 'counting', subTopology: 0, partition: 0 }

/** One task on a log that keeps no state, as on Kafka; it has counted one record, and nothing since. */
async function counted() {
  const clock = new ManualClock(START)
  const engine = await StepEngine.open({
    topologies: [counting],
    clock,
    partitions: 1,
    openLog: () => Promise.resolve(guidedLog(() => clock.now())),
    stateDirectory: new MemoryStateDirectory(),
  })
  await engine.log.assign([task])
  await engine.runner('counting').ready()
  await engine.append(lines, 'k', 'x', START)
  await engine.settle()
  return Object.assign(engine, { clock })
}

const readable: readonly [what: string, fault: Error][] = [
  ['was refused its topic', new ClusterError('ACCESS_DENIED', 'Fetch of topic lines')],
  ['was refused its credentials', new ClusterError('AUTHENTICATION_FAILED', 'broker 1')],
  ['met a record that cannot be read', new StreamsError('LOG_RECORD_CORRUPT', 'lines-0 at offset 1')],
  ['met a topic that grew', new StreamsError('TOPIC_MISMATCH', 'lines got more partitions')],
]
const inDoubt: readonly [what: string, fault: Error][] = [
  ['is another process’s by now', new StreamsError('COMMIT_FENCED', 'the group went on')],
  ['does not fit its topics', new StreamsError('RESET_REQUIRED', 'lines was made again')],
  ['has a damaged database', new StateError('STATE_CORRUPT', 'seen')],
  ['does not know its last commit', new StreamsError('COMMIT_UNKNOWN', 'no answer')],
]

describe('a task that stopped', () => {
  test.each(readable)('because it %s processes nothing more and answers read-only', async (_what, fault) => {
    const engine = await counted()
    engine.log.fail('lines', fault)
    await engine.append(lines, 'k', 'x', START)
    await expect(engine.settle()).rejects.toBe(fault)
    await engine.step()
    expect(engine.query('counting', seen).get('k').value).toBe(1)
    expect(engine.runner('counting').notRunning).toEqual([task])
    await engine.close()
  })

  test('at a record that its processor cannot take answers read-only', async () => {
    const engine = await counted()
    await engine.append(lines, 'k', 'x', START)
    await engine.append(lines, 'k', 'poison', START)
    await expect(engine.settle()).rejects.toMatchObject({ code: 'PROCESSING_FAILED' })
    expect(engine.query('counting', seen).get('k').value).toBe(1)
    await engine.close()
  })

  test.each(inDoubt)('because it %s answers nothing', async (_what, fault) => {
    const engine = await counted()
    engine.log.fail('lines', fault)
    await expect(engine.settle()).rejects.toBe(fault)
    expect(() => engine.query('counting', seen).get('k')).toThrow(
      expect.objectContaining({ code: 'TASK_NOT_HERE' }),
    )
    await engine.close()
  })
})

describe('a topology that failed', () => {
  const refused = new StreamsError('TOPIC_MISMATCH', 'lines got more partitions')

  test('leaves its group for good, so that others get its tasks, and takes no others', async () => {
    const engine = await counted()
    engine.log.fail('lines', refused)
    await engine.append(lines, 'k', 'x', START)
    await expect(engine.settle()).rejects.toBe(refused)
    await new Promise(setImmediate)
    expect(engine.log.leaving).toEqual({ forGood: true })
    await engine.log.assign([])
    expect(engine.query('counting', seen).get('k').value).toBe(1)
    await engine.close()
    expect(engine.runner('counting').state).toBe('stopped')
  })

  test('leaves only once the commit under way has ended', async () => {
    const engine = await counted()
    const { memory } = engine.log
    const commit = memory.commit.bind(memory)
    const { promise: held, resolve: release } = Promise.withResolvers<void>()
    const { promise: asked, resolve: ask } = Promise.withResolvers<void>()
    memory.commit = (commits) => {
      ask()
      return held.then(() => commit(commits))
    }
    await engine.append(lines, 'k', 'x', START)
    while (await engine.runner('counting').step());
    const committed = engine.runner('counting').commitNow()
    await asked
    engine.log.listener.lost(refused)
    await new Promise(setImmediate)
    expect(engine.log.leaving).toBeUndefined()
    release()
    await committed
    await new Promise(setImmediate)
    expect(engine.log.leaving).toEqual({ forGood: true })
    expect(engine.query('counting', seen).get('k').value).toBe(2)
    await engine.close()
  })

  test('keeps no commit waiting for a log that cannot take it', async () => {
    const engine = await counted()
    const { promise: asked, resolve: ask } = Promise.withResolvers<void>()
    engine.log.memory.commit = () => {
      ask()
      return Promise.reject(new StreamsError('LOG_BUSY', 'no broker'))
    }
    await engine.append(lines, 'k', 'x', START)
    while (await engine.runner('counting').step());
    const ended = engine.runner('counting').commitNow()
    await asked
    engine.log.listener.lost(refused)
    await new Promise(setImmediate)
    engine.clock.advance(1_000)
    await ended
    await new Promise(setImmediate)
    expect(engine.log.leaving).toEqual({ forGood: true })
    await engine.close()
  })

  test('before it had joined leaves as soon as it has', async () => {
    const clock = new ManualClock(START)
    const log = guidedLog(() => clock.now())
    const join = log.join.bind(log)
    const joining = new Proxy(log, {
      get(target, name) {
        if (name !== 'join') return Reflect.get(target, name) as unknown
        return async (...parameters: Parameters<typeof join>) => {
          const membership = await join(...parameters)
          log.listener.lost(refused)
          return membership
        }
      },
    })
    const options = { topologies: [counting], clock, partitions: 1, openLog: () => Promise.resolve(joining) }
    await expect(StepEngine.open({ ...options, stateDirectory: new MemoryStateDirectory() })).rejects.toBe(
      refused,
    )
    expect(log.leaving).toEqual({ forGood: true })
  })
})

describe('a member that is lost', () => {
  test.each(readable)('because it %s answers read-only', async (_what, fault) => {
    const engine = await counted()
    engine.log.listener.lost(fault)
    expect(engine.query('counting', seen).get('k').value).toBe(1)
    await engine.close()
  })

  test.each(inDoubt)('because what it had %s answers nothing', async (_what, fault) => {
    const engine = await counted()
    engine.log.listener.lost(fault)
    expect(() => engine.query('counting', seen).get('k')).toThrow(
      expect.objectContaining({ code: 'TASK_NOT_HERE' }),
    )
    await engine.close()
  })
})

test('work on one record that takes more than 30 s is given up, and the task goes on from its last commit', async () => {
  const clock = new ManualClock(START)
  let slow = true
  const look = processor({
    name: 'look',
    input: shape<string, string>(),
    stores: { seen },
    outputs: { out: shape<string, string>() },
    *process(record, { stores, emit }) {
      for (let pages = 0; slow; pages++) {
        expect(pages).toBeLessThan(100)
        yield* stores.seen.scan({ limit: 1 })
        clock.advance(1_000)
      }
      emit.out(record.key, record.value)
    },
  })
  const looking = topology('looking', (t) => t.stream(lines).process(look).out.to(counts))
  const openLog = () => Promise.resolve(new MemoryLog({ stateHome: 'log', now: () => clock.now() }))
  const engine = await StepEngine.open({ topologies: [looking], clock, partitions: 1, openLog })
  await engine.append(lines, 'k', 'x', START)
  await expect(engine.settle()).rejects.toMatchObject({ code: 'PROCESSING_TIMEOUT', detail: 'look' })
  slow = false
  clock.advance(1_000)
  await engine.step()
  await engine.runner('looking').ready()
  await engine.settle()
  expect(engine.log.records('counts').map(({ value }) => value?.toString())).toEqual(['x'])
  await engine.close()
})

test('a row larger than its changelog takes is the fault of the record that puts it, and of no commit', async () => {
  const clock = new ManualClock(START)
  const texts = keyValueStore({ name: 'texts', key: keys.string, value: serdes.string })
  const keep = processor({
    name: 'keep',
    input: shape<string, string>(),
    stores: { texts },
    process: (record, { stores }) => stores.texts.put(record.key, record.value.repeat(1_024)),
  })
  const keeping = topology('keeping', (t) => void t.stream(lines).process(keep, { onError: 'dead-letter' }))
  const kept: TaskId = { topology: 'keeping', subTopology: 0, partition: 0 }
  const engine = await StepEngine.open({
    topologies: [keeping],
    clock,
    partitions: 1,
    openLog: () => Promise.resolve(guidedLog(() => clock.now())),
    stateDirectory: new MemoryStateDirectory(),
  })
  await engine.log.assign([kept])
  await engine.runner('keeping').ready()
  await engine.append(lines, 'large', 'x'.repeat(1_024), START)
  await engine.append(lines, 'small', 'x', START)
  await engine.settle()
  expect(engine.query('keeping', texts).get('large').value).toBeUndefined()
  expect(engine.query('keeping', texts).get('small').value).toHaveLength(1_024)
  const [letter, ...others] = engine.log.memory.records('lines.dlq')
  expect(others).toEqual([])
  expect(letter?.headers[1]?.[1].toString()).toMatch(/^Store texts: a row of 1048\d+ bytes/)
  await engine.close()
})
