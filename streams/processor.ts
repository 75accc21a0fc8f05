/**
 * What users write: a processor declares its input, stores, outputs and timers, and the engine gives it exactly these.
 *
 * A processor is synchronous and sees no clock, no randomness and no other input or output. Where it must read a range
 * of a store, its function is a generator that reads with `yield*`: the task answers, nothing else of the task runs
 * meanwhile.
 */
import type { AnyStoreSpec, HandleOf, Scan, TimerClock, TimerHandle } from '../state/index.ts'
import type { LogRecord, PastCause } from './record.ts'
import type { TaskId } from './task-id.ts'

/** Key and value types of a stream, as a value that inference can work on. */
export interface Shape<K, V> {
  readonly invariant: (pair: readonly [K, V]) => readonly [K, V]
}

/** `shape<string, Order>()` declares what a processor reads or emits. */
export function shape<K, V>(): Shape<K, V> {
  return SHAPE as unknown as Shape<K, V>
}
const SHAPE: Shape<never, never> = Object.freeze({ invariant: (pair: readonly [never, never]) => pair })

// oxlint-disable-next-line typescript/no-explicit-any -- shapes of differing types in one object
export type AnyShape = Shape<any, any>
type KeyOf<S> = S extends Shape<infer K, infer _V> ? K : never
type ValueOf<S> = S extends Shape<infer _K, infer V> ? V : never
export type ShapeKey<S> = KeyOf<S>
export type ShapeValue<S> = ValueOf<S>

/** A record inside a topology. */
export interface StreamRecord<K, V> {
  readonly key: K
  readonly value: V
  /** Event time, epoch milliseconds. */
  readonly timestamp: number
  /** The log record that this one came from. A record that a timer made has offset -1 and an empty topic. */
  readonly origin: LogRecord
}

export type Emit<S> = (key: KeyOf<S>, value: ValueOf<S>, timestamp?: number) => void

/** What a processor may use while it handles a record, a timer or a punctuation. */
export interface ProcessorContext<S, O, T> {
  readonly stores: { readonly [N in keyof S]: HandleOf<S[N]> }
  /** One function per declared output; `timestamp` defaults to the current record's (timers: the time they fired). */
  readonly emit: { readonly [N in keyof O]: Emit<O[N]> }
  readonly timers: { readonly [N in keyof T]: TimerHandle }
  readonly task: TaskId
  /** Highest timestamp of the task's records so far, epoch milliseconds; -1 before the first. */
  readonly streamTime: number
  /** The one wall time that this batch sees, epoch milliseconds. */
  readonly wallTime: number
  /** Wall milliseconds since the task last had a record. */
  readonly idleMs: number
  /** Sends the current record to `<topic>.dlq` as well; a timer has no record, there it throws. */
  deadLetter(reason: string, message: string): void
  /**
   * What is emitted from here on names `cause` as its cause, until the record or timer at hand is done: for answers that
   * were put off. Event ids still derive from what is at hand.
   */
  causedBy(cause: PastCause): void
  /** Counts something passed over: `millrace_dropped_records_total{reason}`. */
  dropped(reason: string): void
}

type Effect = void | Scan<void>

/** A rule wired to its stores, outputs and timers; made with `processor()`. */
export interface Processor<KIn, VIn, S, O, T> {
  readonly name: string
  readonly input: Shape<KIn, VIn>
  readonly stores: S
  readonly outputs: O
  /** Declared timers and the clock each follows. */
  readonly timers: T
  readonly process: (record: StreamRecord<KIn, VIn>, context: ProcessorContext<S, O, T>) => Effect
  readonly onTimer: {
    readonly [N in keyof T]: (key: string, context: ProcessorContext<S, O, T>, at: number) => Effect
  }
  readonly punctuators: readonly Punctuator<ProcessorContext<S, O, T>>[]
}

/** A function that runs at an interval of one of the two clocks. */
export interface Punctuator<C> {
  readonly clock: TimerClock
  readonly everyMs: number
  readonly run: (context: C, now: number) => Effect
}

export interface ProcessorOptions<KIn, VIn, S, O, T> {
  readonly name: string
  readonly input: Shape<KIn, VIn>
  readonly stores?: S
  readonly outputs?: O
  readonly timers?: T
  readonly process: (
    record: StreamRecord<NoInfer<KIn>, NoInfer<VIn>>,
    context: ProcessorContext<NoInfer<S>, NoInfer<O>, NoInfer<T>>,
  ) => Effect
  readonly onTimer?: {
    readonly [N in keyof T]: (
      key: string,
      context: ProcessorContext<NoInfer<S>, NoInfer<O>, NoInfer<T>>,
      at: number,
    ) => Effect
  }
  readonly punctuators?: readonly Punctuator<ProcessorContext<NoInfer<S>, NoInfer<O>, NoInfer<T>>>[]
}

export type StoreSpecs = Readonly<Record<string, AnyStoreSpec>>
export type OutputShapes = Readonly<Record<string, AnyShape>>
export type TimerClocks = Readonly<Record<string, TimerClock>>
type None = Readonly<Record<never, never>>

/** Declares a processor. Nothing runs; the same declaration may serve several topologies. */
export function processor<
  KIn,
  VIn,
  const S extends StoreSpecs = None,
  const O extends OutputShapes = None,
  const T extends TimerClocks = None,
>(options: ProcessorOptions<KIn, VIn, S, O, T>): Processor<KIn, VIn, S, O, T> {
  return Object.freeze({
    name: options.name,
    input: options.input,
    stores: options.stores ?? ({} as S),
    outputs: options.outputs ?? ({} as O),
    timers: options.timers ?? ({} as T),
    process: options.process,
    onTimer: options.onTimer ?? ({} as Processor<KIn, VIn, S, O, T>['onTimer']),
    punctuators: options.punctuators ?? [],
  })
}

// oxlint-disable-next-line typescript/no-explicit-any -- processors of differing types in one graph
export type AnyProcessor = Processor<any, any, any, any, any>
