/** A process that counts per key and says each count, on a log whose assignments the test makes. */
import { keys, keyValueStore, serdes, type StateBackend } from '../../state/index.ts'
import {
  changelogTopic,
  processor,
  shape,
  Streams,
  type StreamsError,
  type StreamsHooks,
  type TaskId,
  taskName,
  topology,
  type TopicUse,
} from '../../streams/index.ts'
import { ManualClock, MemoryStateDirectory } from '../../testing/index.ts'
import { type MemoryStorage } from '../../transports/simulated/index.ts'
import { guidedLog } from '../support/guided-log.ts'
import { stringTopic } from '../support/topics.ts'

const START = Date.UTC(2026, 0, 1)
/** Looks at something that no event tells; each lets everything that is ready run. */
const LOOKS = 2_000
const lines = stringTopic('lines')
const counts = stringTopic('counts')
const seen = keyValueStore({ name: 'seen', key: keys.string, value: serdes.json<number>() })

const count = processor({
  name: 'count',
  input: shape<string, string>(),
  stores: { seen },
  outputs: { out: shape<string, string>() },
  process(record, { stores, emit }) {
    const now = (stores.seen.get(record.key) ?? 0) + 1
    stores.seen.put(record.key, now)
    emit.out(record.key, `${record.key}${now}`)
  },
})
const counting = topology('counting', (t) => {
  t.stream(lines).process(count).out.to(counts)
})

export const zero: TaskId = { topology: 'counting', subTopology: 0, partition: 0 }
export const one: TaskId = { topology: 'counting', subTopology: 0, partition: 1 }
export const changelog = changelogTopic('test', zero, 'seen')
/** A key of each partition. */
const KEYS = ['k', 'l'] as const

/** Databases that can be found damaged, and that bear no second one who opens them. */
export class FragileDirectory extends MemoryStateDirectory {
  damage: (task: TaskId) => Error | undefined = () => undefined
  onSetAside: (task: TaskId) => void = () => {}
  /** Comes before each batch. */
  beforeWrite: (task: TaskId) => Promise<void> = () => Promise.resolve()
  /** Comes before each close. */
  beforeClose: () => Promise<void> = () => Promise.resolve()
  readonly #open = new Set<string>()

  override async open(task: TaskId): Promise<StateBackend> {
    const damage = this.damage(task)
    if (damage !== undefined) throw damage
    const name = taskName(task)
    if (this.#open.has(name)) throw new Error(`${name} is open already`)
    this.#open.add(name)
    const backend = await super.open(task)
    return {
      ...backend,
      write: async (ops, options) => {
        await this.beforeWrite(task)
        await backend.write(ops, options)
      },
      close: async () => {
        this.#open.delete(name)
        await this.beforeClose()
        await backend.close()
      },
    }
  }

  override setAside(task: TaskId): Promise<void> {
    this.onSetAside(task)
    return super.setAside(task)
  }
}

export interface RigOptions {
  /** What other processes are on as well; else its own. */
  readonly storage?: MemoryStorage
  readonly clock?: ManualClock
}

export class Rig {
  readonly clock: ManualClock
  readonly log: ReturnType<typeof guidedLog>
  readonly directory = new FragileDirectory()
  readonly events: string[] = []
  streams: Streams

  constructor({ storage, clock = new ManualClock(START) }: RigOptions = {}) {
    this.clock = clock
    this.log = guidedLog(() => clock.now(), storage)
    this.streams = this.#makeStreams()
  }

  #makeStreams(): Streams {
    const hooks: Partial<StreamsHooks> = {
      onRestored: (task, records) => this.events.push(`${taskName(task)} restored ${records}`),
      onTaskRefused: (_task, cause) => this.events.push((cause as StreamsError).code),
      onDatabaseCloseFailed: (task, cause) =>
        this.events.push(`${taskName(task)} closed badly: ${codeOf(cause)}`),
      onStandbyState: (task, _from, to, cause) => {
        this.events.push(`standby ${taskName(task)} ${to}${cause === undefined ? '' : `: ${codeOf(cause)}`}`)
      },
      onStandbyUpdated: (task, records) => this.events.push(`standby ${taskName(task)} took ${records}`),
    }
    const topicSpec = (use: TopicUse) => ({
      name: use.name,
      partitions: 2,
      cleanup: use.cleanup,
      timestamps: use.timestamps,
      retentionMs: Number.POSITIVE_INFINITY,
      retentionBytes: Number.POSITIVE_INFINITY,
    })
    const { log, clock, directory: stateDirectory } = this
    return new Streams({
      application: 'test',
      topologies: [counting],
      log,
      clock,
      hooks,
      stateDirectory,
      topicSpec,
    })
  }

  static async open(options: RigOptions = {}): Promise<Rig> {
    const rig = new Rig(options)
    await rig.streams.open()
    return rig
  }

  get runner() {
    return this.streams.runner('counting')
  }

  append(partition: number, times = 1): Promise<void> {
    return this.#append(
      partition,
      Array.from({ length: times }, () => KEYS[partition] ?? ''),
    )
  }

  /** Different keys, all for the first partition. */
  appendKeys(keyCount: number): Promise<void> {
    return this.#append(
      0,
      Array.from({ length: keyCount }, (_, i) => `key-${i}`),
    )
  }

  async #append(partition: number, texts: readonly string[]): Promise<void> {
    const record = { topic: 'lines', partition, value: Buffer.from('x'), timestamp: START, headers: [] }
    const lineage = { eventId: 'e' }
    await this.log.memory.append(texts.map((text) => ({ ...record, key: Buffer.from(text), lineage })))
  }

  async turn(): Promise<void> {
    while (await this.runner.step());
  }

  async settle(): Promise<void> {
    await this.turn()
    await this.runner.commitNow()
  }

  written(): string[] {
    return this.log.memory.records('counts').map(({ value }) => value?.toString() ?? '')
  }

  /** As a new process on the same disk. */
  async restart(): Promise<void> {
    await this.streams.close()
    this.streams = this.#makeStreams()
    await this.streams.open()
  }
}

function codeOf(cause: Error): string {
  return 'code' in cause ? String(cause.code) : cause.message
}

/** Everything that can go on without time or a held topic has gone on. */
export async function untilIdle(): Promise<void> {
  for (let i = 0; i < 50; i++) await new Promise(setImmediate)
}

/** Resolves once it is so; rejects when nothing brings it about any more. */
export async function until(so: () => boolean): Promise<void> {
  for (let look = 0; look < LOOKS; look++) {
    if (so()) return
    await new Promise(setImmediate)
  }
  throw new Error(`waited in vain for ${String(so)}`)
}
