/**
 * The engine on Kafka, without the API: what the fault tests start, kill, halt and watch. Records come from outside.
 *
 * It tells what happens to it as JSON lines on stdout (`engine.ts` lists them), does what the lines on its stdin say to
 * itself, ends in order on SIGTERM, and at once when its stdin ends, so that none outlives its test.
 */
import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { openRegistrySchemas } from '../../../connectors/index.ts'
import { createTopics } from '../../../schemas/index.ts'
import { TaskDatabases } from '../../../state/index.ts'
import { type Log, reactionOf, Streams, type StreamsHooks, taskName } from '../../../streams/index.ts'
import { openKafkaLog } from '../../../transports/kafka/index.ts'
import type { Command, EngineOptions, Told } from './engine.ts'
import { aliveNow, Blocker, JumpingClock } from './engine-inside.ts'
import { openRelease } from './releases.ts'
import { topicSpec, topologiesOf } from './shop-topics.ts'

const options = JSON.parse(process.argv[2] as string) as EngineOptions
const blocker = new Blocker((ms) => tell({ at: 'blocked', forMs: ms }))
const clock = new JumpingClock(options.clockAheadMs)

createInterface({ input: process.stdin })
  .on('line', (line) => obey(JSON.parse(line) as Command))
  .on('close', () => process.exit(0))

tell({ at: 'opening' })
const { application, slot, brokers } = options
const log = await openKafkaLog({
  application,
  connection: { brokers, clientId: slot },
  slot,
  version: '0',
  waitsForCluster: true,
  hooks: {
    onFenced: (topology, ids) => tell({ at: 'fenced', topology, ids }),
    onUnavailable: (error) => tell({ at: 'unavailable', ...because(error) }),
  },
  ...options.log,
})
const release = options.release === undefined ? undefined : await openRelease(options.release)
const { writeBufferBytes, cacheBytes, cacheEntries, breaker } = options
const caches = cacheBytes === undefined ? {} : { cacheBytes }
const budget = writeBufferBytes === undefined ? {} : { tasks: 1, writeBufferBytes, ...caches }
const stateDirectory = new TaskDatabases({ directory: options.directory, application, budget })
const streams = new Streams({
  application,
  topologies: (release?.topologies ?? topologiesOf(options.pipelines, await topicsHere())).map((each) => {
    return blocker.within(each)
  }),
  clock,
  log: options.diesAfterCommit === undefined ? log : mortal(log, options.diesAfterCommit),
  topicSpec,
  commitIntervalMs: options.commitIntervalMs ?? 100,
  commitWhenIdle: false,
  stateDirectory,
  ...(cacheEntries === undefined ? {} : { cacheEntries }),
  ...(breaker === undefined ? {} : { breaker }),
  hooks: hooks(),
})

process.on('SIGTERM', () => {
  void streams
    .close()
    .then(() => log.close())
    .then(() => release?.schemas.close())
    .then(() => process.exit(0))
})

await streams.open()
tell({ at: 'opened' })
streams.run()
await streams.ready().then(
  () => tell({ at: 'ready' }),
  (error: unknown) => tell({ at: 'unready', code: codeOf(error) }),
)

function hooks(): Partial<StreamsHooks> {
  return {
    onTaskState: (task, _from, to, cause) => {
      tell({ at: 'task', task: taskName(task), to, ...because(cause) })
    },
    onRunnerState: (topology, _from, to, cause) => tell({ at: 'runner', topology, to, ...because(cause) }),
    onRestoreProgress: (task, records) => tell({ at: 'restoring', task: taskName(task), records }),
    onRestored: (task, records) => tell({ at: 'restored', task: taskName(task), records }),
    onStandbyState: (task, _from, to, cause) => {
      tell({ at: 'standby', task: taskName(task), to, ...because(cause) })
    },
    onStandbyUpdated: (task, records, remaining) => {
      tell({ at: 'followed', task: taskName(task), records, remaining })
    },
    onTaskRefused: (task, cause) => tell({ at: 'refused', task: taskName(task), ...because(cause) }),
    onRevoked: (topology, cause) => tell({ at: 'revoked', topology, ...because(cause) }),
    onClock: (topology, { kind, gapMs }) => tell({ at: 'clock', topology, kind, gapMs }),
    onCommitted: (topology, tasks, records) => tell({ at: 'committed', topology, tasks, records }),
  }
}

function obey(command: Command): void {
  switch (command.do) {
    case 'block':
      blocker.arm(command.ms)
      break
    case 'jump':
      clock.jump(command.ms)
      break
    case 'pass':
      clock.pass(command.ms)
      break
    case 'collect':
      tell({ at: 'alive', ...aliveNow() })
  }
  tell({ at: 'obeyed' })
}

/** With the ids of a registry, where there is one. */
async function topicsHere() {
  const { registryUrl: url } = options
  return url === undefined ? undefined : createTopics(await openRegistrySchemas({ registry: { url } }))
}

function because(cause: Error | undefined) {
  return cause === undefined ? {} : { code: codeOf(cause), why: wholeStory(cause) }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : reactionOf(error)
}

function wholeStory(error: Error): string {
  return error.cause instanceof Error ? `${error.message} < ${wholeStory(error.cause)}` : error.message
}

/** Dies between the end of its `n`th transaction that changes state and the databases' batches. */
function mortal(mortalLog: Log, n: number): Log {
  let commits = 0
  return new Proxy(mortalLog, {
    get(target, name) {
      if (name === 'commit') return commit
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })

  async function commit(...args: Parameters<Log['commit']>): ReturnType<Log['commit']> {
    const receipts = await mortalLog.commit(...args)
    const [all] = args
    if (all.some(({ changes }) => changes.length > 0) && ++commits === n) process.kill(process.pid, 'SIGKILL')
    return receipts
  }
}

/** At once and not when the stream has time: who waits for the line acts while the next statement runs. */
function tell(line: Told): void {
  writeSync(1, `${JSON.stringify({ ...line, ms: Math.round(performance.timeOrigin + performance.now()) })}\n`)
}
