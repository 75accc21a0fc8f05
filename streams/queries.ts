/**
 * Reading stores from outside: committed rows only, each answer with the position it stands at.
 *
 * Where a key's task runs in another process, `TASK_NOT_HERE` says so.
 */
import type { AnyStoreSpec, IndexRow, ViewOf, ViewPageOptions } from '../state/index.ts'
import { partitionFor } from './partitioner.ts'
import type { Position } from './record.ts'
import type { TopologyRunner } from './runner.ts'
import type { Task } from './task.ts'

export interface Answer<T> {
  readonly value: T
  /** Inputs of the task up to which the answer is true. */
  readonly positions: readonly Position[]
}

/** Queries on one store of one topology. Keys find their task as the topology's input topics do. */
export interface StoreQueries<K, V, I extends string = string> {
  /** The row of `key` in the task that owns `routingKey` (by default the key itself, when it is a string). */
  get(key: K, routingKey?: string): Answer<V | undefined>
  /** One page of the task that owns `routingKey`. */
  page(routingKey: string, options: ViewPageOptions<K>): Promise<Answer<(readonly [K, V])[]>>
  /** A page of every task here, one after the other in partition order. */
  pageAll(options: ViewPageOptions<K>): Promise<(readonly [K, V])[]>
  top(routingKey: string, index: I, group: string, limit: number): Promise<Answer<IndexRow<K, V>[]>>
}

export function storeQueries<S extends AnyStoreSpec>(
  runner: TopologyRunner,
  spec: S,
): ViewOf<S> extends { page(options: infer _P): Promise<(readonly [infer K, infer V])[]> }
  ? StoreQueries<K, V>
  : never
export function storeQueries(runner: TopologyRunner, spec: AnyStoreSpec): StoreQueries<unknown, unknown> {
  const owner = (key: string): Task => {
    const partition = partitionFor(Buffer.from(key), runner.stores.partitions(spec.name))
    return runner.stores.of(spec.name, partition)
  }
  const view = (task: Task) => task.state.committedView(spec) as ViewOf<AnyStoreSpec>
  return {
    get(key, routingKey) {
      const task = owner(routingKey ?? String(key))
      return { value: view(task).get(key as never), positions: committedPositions(runner, task) }
    },
    async page(routingKey, options) {
      const task = owner(routingKey)
      const positions = committedPositions(runner, task)
      return { value: await view(task).page(options as never), positions }
    },
    async pageAll(options) {
      const rows: (readonly [unknown, unknown])[] = []
      const limit = options.limit ?? 1_000
      for (const task of runner.stores.here(spec.name)) {
        if (rows.length >= limit) break
        rows.push(...(await view(task).page({ ...options, limit: limit - rows.length } as never)))
      }
      return rows
    },
    async top(routingKey, index, group, limit) {
      const task = owner(routingKey)
      const positions = committedPositions(runner, task)
      return { value: await view(task).top(index as never, group, limit), positions }
    },
  }
}

function committedPositions(runner: TopologyRunner, task: Task): Position[] {
  return task.inputs.map(({ source, partition }) => ({
    topic: source.topic.name,
    partition,
    offset: runner.progress.position(source.topic.name, partition),
  }))
}
