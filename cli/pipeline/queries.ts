/** What runs here of the shop's topologies; for those that do not, every question is for another process. */
import type { AnyStoreSpec } from '../../state/index.ts'
import { type StoreQueries, type Streams, TaskNotHere } from '../../streams/index.ts'

type QueriesOf<S extends AnyStoreSpec> = ReturnType<typeof Streams.prototype.queries<S>>

/** As `Streams.queries`; where the topology does not run here, each query throws `TASK_NOT_HERE`. */
export function queriesOf<S extends AnyStoreSpec>(streams: Streams, topology: string, spec: S): QueriesOf<S> {
  return runs(streams, topology) ? streams.queries(topology, spec) : (elsewhere(topology) as QueriesOf<S>)
}

/** As `Streams.runner`; throws `TASK_NOT_HERE` where the topology does not run here. */
export function runnerOf(streams: Streams, topology: string): Streams['runners'][number] {
  if (!runs(streams, topology)) throw notHere(topology)
  return streams.runner(topology)
}

function runs(streams: Streams, topology: string): boolean {
  return streams.runners.some((runner) => runner.topology.name === topology)
}

function elsewhere(topology: string): unknown {
  const queries: StoreQueries<never, never> = {
    get() {
      throw notHere(topology)
    },
    page: () => Promise.reject(notHere(topology)),
    pageAll: () => Promise.resolve([]),
    top: () => Promise.reject(notHere(topology)),
  }
  return queries
}

function notHere(topology: string): TaskNotHere {
  return new TaskNotHere(`${topology} does not run in this process`, undefined)
}
