/** Stores that several tests use, and a task that holds them. */
import {
  keys,
  keyValueStore,
  memoryBackend,
  type Scan,
  serdes,
  type StateBackend,
  TaskState,
  windowStore,
  type WriteOp,
} from '../../../state/index.ts'

export interface Claim {
  readonly member: string
  readonly rank: number
}

export const claims = keyValueStore({ name: 'claims', value: serdes.json<Claim>() })
export const ranked = keyValueStore({
  name: 'ranked',
  key: keys.tuple(keys.string, keys.int64),
  value: serdes.json<Claim>(),
  indexes: { best: { group: ([coupon]) => coupon, score: (_key, claim) => claim.rank } },
})
export const daily = windowStore({ name: 'daily', value: serdes.int64, retentionMs: 1_000 })

/** A task on a backend in memory; `restart` forgets everything that is not committed. */
export class Bench {
  readonly backend: StateBackend = memoryBackend()
  state = this.newState()

  newState(): TaskState {
    const specs = [claims, ranked, daily]
    return new TaskState({ reader: this.backend, specs, withChanges: true, heldTimers: 2 })
  }

  restart(): void {
    this.state = this.newState()
  }

  async commit(): Promise<void> {
    await this.backend.write(this.state.seal().ops)
    this.state.committed()
  }

  /** Runs what a processor's generator would. */
  async read<T>(scan: Scan<T>): Promise<T> {
    let step = scan.next()
    while (!step.done) step = scan.next(await this.state.readPage(step.value))
    return step.value
  }
}

/** The writes of rows: without the descriptor that goes with a store's first write. */
export function rowsOf(ops: readonly WriteOp[]): WriteOp[] {
  return ops.filter(({ key }) => !/[a-z]\x02$/.test(key.toString('latin1')))
}
