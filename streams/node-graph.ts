/**
 * A sub-topology's nodes as running objects of one task: each emit is a plain call into the children.
 *
 * A processor that answers with a generator is put off: the task runs it once the record's synchronous work is done,
 * one after the other in the order they came, so that the order of effects depends on the records only.
 */
import type { AnyStoreSpec, Scan, TaskState, TimerClock } from '../state/index.ts'
import type { Node, ParentRef, ProcessorNode, SinkNode, SourceNode, SubTopology } from './graph.ts'
import type { ErrorPolicy } from './policies.ts'
import type { AnyProcessor, ProcessorContext, StreamRecord } from './processor.ts'
import type { Headers, PastCause } from './record.ts'
import type { AnyTopic } from './topic.ts'
import type { TaskId } from './task-id.ts'

export type AnyRecord = StreamRecord<unknown, unknown>
type AnyContext = ProcessorContext<
  Record<string, AnyStoreSpec>,
  Record<string, never>,
  Record<string, TimerClock>
>

/** What the nodes need of their task. */
export interface NodeHost {
  readonly task: TaskId
  readonly state: TaskState
  readonly streamTime: number
  readonly wallTime: number
  readonly idleMs: number
  /** A processor's generator, to be run when the record's synchronous work is done. */
  defer(node: ProcessorInstance, record: AnyRecord, work: Scan<void>): void
  send(
    topic: AnyTopic,
    record: AnyRecord,
    partition: ((partitions: number) => number) | undefined,
    headers: Headers,
  ): void
  deadLetter(record: AnyRecord, reason: string, message: string): void
  /** What is sent for the record or timer at hand comes from this. */
  causedBy(cause: PastCause): void
  /** An output that cannot be sent: its cause becomes a dead letter, everything else of the record stands. */
  refused(record: AnyRecord, reason: string, message: string): void
  dropped(reason: string): void
}

interface Receiver {
  receive(record: AnyRecord): void
}

/** One processor in one task. */
export class ProcessorInstance implements Receiver {
  readonly name: string
  readonly definition: AnyProcessor
  readonly onError: ErrorPolicy
  readonly children = new Map<string, Receiver[]>()
  readonly #host: NodeHost
  readonly #context: AnyContext
  #current: AnyRecord | undefined
  /** The processor whose code runs at the moment, innermost; who is to blame when it throws. */
  static active: ProcessorInstance | undefined

  constructor(node: ProcessorNode, host: NodeHost) {
    this.name = node.name
    this.definition = node.processor
    this.onError = node.onError
    this.#host = host
    for (const output of Object.keys(this.definition.outputs)) this.children.set(output, [])
    this.#context = this.#makeContext()
  }

  receive(record: AnyRecord): void {
    const outer = ProcessorInstance.active
    ProcessorInstance.active = this
    this.#current = record
    const work = this.definition.process(record, this.#context) as Scan<void> | undefined
    if (work !== undefined) this.#host.defer(this, record, checkGenerator(this.name, work))
    ProcessorInstance.active = outer
  }

  /** Runs the timer's handler; `record` stands for the timer as origin of what it emits. */
  fire(timer: string, key: string, at: number, record: AnyRecord): void {
    this.resume(record)
    const work = this.definition.onTimer[timer]?.(key, this.#context, at) as Scan<void> | undefined
    if (work !== undefined) this.#host.defer(this, record, checkGenerator(this.name, work))
    ProcessorInstance.active = undefined
  }

  punctuate(ordinal: number, now: number, record: AnyRecord): void {
    this.resume(record)
    const work = this.definition.punctuators[ordinal]?.run(this.#context, now) as Scan<void> | undefined
    if (work !== undefined) this.#host.defer(this, record, checkGenerator(this.name, work))
    ProcessorInstance.active = undefined
  }

  /** Before a put-off generator goes on: what it emits belongs to this record again. */
  resume(record: AnyRecord): void {
    ProcessorInstance.active = this
    this.#current = record
  }

  #makeContext(): AnyContext {
    const host = this.#host
    const { stores, outputs, timers } = this.definition as {
      stores: Record<string, AnyStoreSpec>
      outputs: Record<string, unknown>
      timers: Record<string, TimerClock>
    }
    const current = (): AnyRecord => {
      if (this.#current === undefined)
        throw new Error(`${this.name} used its context outside of a record or timer`)
      return this.#current
    }
    return Object.freeze({
      stores: mapValues(stores, (spec) => host.state.handle(spec)),
      emit: mapValues(outputs, (_, output) => this.#emitter(output, current)),
      timers: mapValues(timers, (clock, name) => host.state.timer(clock, timerName(this.name, name))),
      task: host.task,
      get streamTime() {
        return host.streamTime
      },
      get wallTime() {
        return host.wallTime
      },
      get idleMs() {
        return host.idleMs
      },
      deadLetter: (reason: string, message: string) => host.deadLetter(current(), reason, message),
      causedBy: (cause: PastCause) => host.causedBy(cause),
      dropped: (reason: string) => host.dropped(reason),
    }) as unknown as AnyContext
  }

  #emitter(output: string, current: () => AnyRecord) {
    const children = this.children.get(output) as Receiver[]
    return (key: unknown, value: unknown, timestamp?: number): void => {
      const { timestamp: inherited, origin } = current()
      const record: AnyRecord = { key, value, timestamp: timestamp ?? inherited, origin }
      for (const child of children) child.receive(record)
    }
  }
}

class SinkInstance implements Receiver {
  readonly #node: SinkNode
  readonly #host: NodeHost

  constructor(node: SinkNode, host: NodeHost) {
    this.#node = node
    this.#host = host
  }

  receive(record: AnyRecord): void {
    const { topics, route, partition, headers } = this.#node
    const topic = route === undefined ? topics[0] : route(record as never)
    if (topic === undefined || !topics.includes(topic)) {
      const message = `${this.#node.name} routed a record to a topic that it did not declare: ${topic?.name}`
      return this.#host.refused(record, 'UndeclaredTopic', message)
    }
    const choose = partition && ((partitions: number) => partition(record as never, partitions))
    this.#host.send(topic, record, choose, headers)
  }
}

/** The running nodes of one task. */
export interface NodeGraph {
  /** Children of each source, by topic. */
  readonly entries: ReadonlyMap<string, readonly Receiver[]>
  readonly processors: readonly ProcessorInstance[]
  /** Whose timer it is, by the timer's stored name. */
  readonly timers: ReadonlyMap<string, { readonly node: ProcessorInstance; readonly timer: string }>
}

export function buildNodeGraph(sub: SubTopology, host: NodeHost): NodeGraph {
  const instances = new Map<string, ProcessorInstance>()
  const entries = new Map<string, Receiver[]>()
  for (const node of sub.nodes) {
    if (node.kind === 'processor') instances.set(node.name, new ProcessorInstance(node, host))
    if (node.kind === 'source') entries.set(node.topic.name, [])
  }
  const sources = new Map(sub.sources.map((source): [string, SourceNode] => [source.name, source]))
  const outputOf = (ref: ParentRef): Receiver[] => {
    const source = sources.get(ref.node)
    const list = source ? entries.get(source.topic.name) : instances.get(ref.node)?.children.get(ref.output)
    if (list === undefined) throw new Error(`no output ${ref.output} of ${ref.node}`)
    return list
  }
  for (const node of sub.nodes) {
    if (node.kind === 'source') continue
    const receiver = receiverOf(node, instances, host)
    for (const parent of node.parents) outputOf(parent).push(receiver)
  }
  const processors = [...instances.values()]
  const timers = new Map(
    processors.flatMap((node) =>
      Object.keys(node.definition.timers).map(
        (timer) => [timerName(node.name, timer), { node, timer }] as const,
      ),
    ),
  )
  return { entries, processors, timers }
}

function receiverOf(node: Node, instances: Map<string, ProcessorInstance>, host: NodeHost): Receiver {
  if (node.kind === 'sink') return new SinkInstance(node, host)
  return instances.get(node.name) as ProcessorInstance
}

/** Timers are stored under the processor's name and their own. */
function timerName(processor: string, timer: string): string {
  return `${processor}/${timer}`
}

function mapValues<V, W>(
  object: Record<string, V>,
  change: (value: V, name: string) => W,
): Record<string, W> {
  return Object.freeze(
    Object.fromEntries(Object.entries(object).map(([name, value]) => [name, change(value, name)])),
  )
}

/** A promise is not waited for, whether it settles or not; what it rejects with must not end the process. */
function checkGenerator(name: string, work: Scan<void> | Promise<unknown>): Scan<void> {
  if ('next' in work && typeof work.next === 'function') return work
  if (work instanceof Promise) work.catch(() => undefined)
  const answer = work instanceof Promise ? 'promise' : typeof work
  throw new TypeError(`${name} answered with a ${answer}: a processor is a plain function or a generator`)
}
