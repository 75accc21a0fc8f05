/** Runs commands on a real `TaskState` and on the model, and compares what they answer. */
import { deepStrictEqual as same, ok, throws } from 'node:assert/strict'
import { type Scan, type SealedBatch, type StateBackend, TaskState } from '../../../state/index.ts'
import type { Command } from './commands.ts'
import { delayed, type Delays } from './delayed.ts'
import { type Timer, timerId, windowId, World } from './model.ts'
import { rowStore, windowedStore } from './subject.ts'

/** Timers held in memory, and cached values: few, so that short lives go beyond them. */
const heldTimers = 2
const cacheEntries = 4

export class Life {
  readonly #reopen: () => Promise<StateBackend>
  readonly #onCommit: (batch: SealedBatch) => Promise<void>
  #backend: StateBackend
  #state: TaskState
  readonly #delays: Delays = { before: undefined, after: undefined }
  #running = new World()
  #marked = new World()
  #markedBytes = 0
  #sealed: { readonly batch: SealedBatch; readonly world: World } | undefined
  #committed = new World()

  /** `onCommit` is given every batch that was committed. */
  constructor(
    backend: StateBackend,
    reopen: () => Promise<StateBackend>,
    onCommit: (batch: SealedBatch) => Promise<void> = async () => {},
  ) {
    this.#onCommit = onCommit
    this.#backend = backend
    this.#reopen = reopen
    this.#state = this.#newState()
  }

  #newState(): TaskState {
    const specs = [rowStore, windowedStore]
    const reader = delayed(this.#backend, this.#delays)
    return new TaskState({ reader, specs, withChanges: true, cacheEntries, heldTimers })
  }

  get #rows() {
    return this.#state.handle(rowStore)
  }

  get #windows() {
    return this.#state.handle(windowedStore)
  }

  async scan<T>(scan: Scan<T>): Promise<T> {
    let step = scan.next()
    while (!step.done) step = scan.next(await this.#state.readPage(step.value))
    return step.value
  }

  async run(command: Command): Promise<void> {
    const world = this.#running
    switch (command.kind) {
      case 'put':
        this.#rows.put(command.key, command.row)
        world.rows.set(command.key, command.row)
        return
      case 'delete':
        this.#rows.delete(command.key)
        world.rows.delete(command.key)
        return
      case 'get':
        same(this.#rows.get(command.key), world.rows.get(command.key))
        return
      case 'scan': {
        const { from, to, limit, reverse } = command
        const options = {
          ...(from !== undefined && { from }),
          ...(to !== undefined && { to }),
          limit,
          reverse,
        }
        same(await this.scan(this.#rows.scan(options)), world.scan(from, to, limit, reverse))
        return
      }
      case 'top': {
        const { group, limit } = command
        same(await this.scan(this.#rows.index('by-n').top(group, limit)), world.top(group, limit))
        return
      }
      case 'mark':
        this.#state.mark()
        this.#marked = world.copy()
        this.#markedBytes = this.#state.overlayBytes
        return
      case 'rollback':
        this.#state.rollback()
        this.#running = this.#marked.copy()
        same(this.#state.overlayBytes, this.#markedBytes)
        return
      case 'schedule':
      case 'cancel':
      case 'fire':
        return this.#runTimers(command)
      case 'window-put':
      case 'window-delete':
      case 'window-read':
      case 'window-clear':
        return this.#runWindows(command)
      case 'commit-while-scanning':
        return this.#commitWhileScanning(command.readBefore)
      default:
        return this.#runBatches(command.kind)
    }
  }

  /** A scan whose page is read before the commit, or after it, and merged after it. */
  async #commitWhileScanning(readBefore: boolean): Promise<void> {
    const seen = this.#running.scan(undefined, undefined, 100, false)
    let open = (): void => {}
    this.#delays[readBefore ? 'after' : 'before'] = new Promise((resolve) => (open = resolve))
    const rows = this.scan(this.#rows.scan({ limit: 100 }))
    const top = this.scan(this.#rows.index('by-n').top('g', 100))
    this.#delays.before = this.#delays.after = undefined
    await this.#commit(async () => {
      // Written and not told yet: both the old and the new rows are under the overlay.
      same(await this.scan(this.#rows.scan({ limit: 100 })), seen)
    })
    open()
    same(await rows, seen)
    same(await top, this.#running.top('g', 100))
  }

  async #runWindows(command: Command & { kind: `window-${string}` }): Promise<void> {
    const world = this.#running
    const { window, start } = command
    switch (command.kind) {
      case 'window-put': {
        const { key, value } = command
        this.#windows.put(window, start, key, value)
        world.windows.set(windowId(window, start, key), { window, start, key, value })
        return
      }
      case 'window-delete':
        this.#windows.delete(window, start, command.key)
        world.windows.delete(windowId(window, start, command.key))
        return
      case 'window-read': {
        const rows = world.windowRows(window, start, command.limit)
        const expected = rows.map(({ value, ...at }) => [at, value])
        same(await this.scan(this.#windows.scanWindow(window, start, command.limit)), expected)
        const best = await this.scan(this.#windows.index('best').top(`${window}/${start}`, command.limit))
        same(
          best.map(({ key, score }) => ({ ...key, value: score })),
          world.windowTop(window, start, command.limit),
        )
        same(await this.scan(this.#windows.oldestWindow(window)), world.oldestWindow(window))
        for (const { key, value } of rows) same(this.#windows.get(window, start, key), value)
        return
      }
      case 'window-clear': {
        const gone = world.windowRows(window, start, command.limit)
        same(await this.scan(this.#windows.clearWindow(window, start, command.limit)), gone.length)
        for (const { key } of gone) world.windows.delete(windowId(window, start, key))
      }
    }
  }

  async #runTimers(command: Command & { kind: 'schedule' | 'cancel' | 'fire' }): Promise<void> {
    const world = this.#running
    const { clock } = command
    if (command.kind === 'fire') {
      for (let fired = 0; fired < command.limit; fired++) {
        if (this.#state.needsTimerLoad(clock, command.now)) await this.#state.loadTimers(clock)
        const next = world.nextTimer(clock)
        ok(this.#state.nextTimerAt(clock) <= (next?.at ?? Infinity))
        const expected: Timer | undefined = next !== undefined && next.at <= command.now ? next : undefined
        same(this.#state.popDueTimer(clock, command.now), expected)
        if (expected === undefined) return
        world.timers.delete(timerId(clock, expected.name, expected.key))
      }
      return
    }
    const { name, key } = command
    const timer = this.#state.timer(clock, name)
    const id = timerId(clock, name, key)
    same(timer.dueAt(key), world.timers.get(id)?.at)
    if (command.kind === 'cancel') {
      timer.cancel(key)
      world.timers.delete(id)
    } else {
      timer.schedule(key, command.at)
      world.timers.set(id, { clock, name, key, at: command.at })
    }
    same(timer.dueAt(key), world.timers.get(id)?.at)
  }

  async #runBatches(kind: Command['kind']): Promise<void> {
    switch (kind) {
      case 'seal':
        if (this.#sealed !== undefined) {
          throws(() => this.#state.seal(), { message: /A batch is pending/ })
          return
        }
        this.#sealed = { batch: this.#state.seal(), world: this.#running.copy() }
        same(this.#state.overlayBytes, 0)
        this.#marked = this.#running.copy()
        this.#markedBytes = 0
        return
      case 'commit':
        return this.#commit(async () => {})
      case 'commit-unanswered':
        if (this.#sealed === undefined) return
        await this.#backend.write(this.#sealed.batch.ops)
        await this.#onCommit(this.#sealed.batch)
        this.#committed = this.#sealed.world
        this.#state.discard()
        this.#restart()
        return
      case 'discard':
        this.#state.discard()
        this.#restart()
        return
      case 'reopen':
        this.#backend = await this.#reopen()
        this.#state = this.#newState()
        this.#restart()
        return
      case 'view':
        return this.#compareView()
      default:
        throw new Error(`No such command: ${kind}`)
    }
  }

  #restart(): void {
    this.#running = this.#committed.copy()
    this.#marked = this.#committed.copy()
    this.#markedBytes = 0
    this.#sealed = undefined
  }

  async #commit(between: () => Promise<void>): Promise<void> {
    const sealed = this.#sealed
    if (sealed === undefined) {
      throws(() => this.#state.committed(), { message: /No batch is pending/ })
      return
    }
    await this.#backend.write(sealed.batch.ops)
    await between()
    this.#state.committed()
    this.#committed = sealed.world
    this.#sealed = undefined
    await this.#onCommit(sealed.batch)
  }

  /** Views show what is committed, whatever is running or pending. */
  async #compareView(): Promise<void> {
    const world = this.#committed
    const rows = this.#state.committedView(rowStore)
    same(await rows.page(), world.scan(undefined, undefined, 100, false))
    same(await rows.page({ reverse: true, limit: 2 }), world.scan(undefined, undefined, 2, true))
    for (const group of ['', 'g', 'g\0', '\0', 'ü']) {
      same(await rows.top('by-n', group, 3), world.top(group, 3))
    }
    for (const key of ['', '\0', 'a', 'b', '😀']) same(rows.get(key), world.rows.get(key))
    const windows = this.#state.committedView(windowedStore)
    for (const { value, ...at } of world.windows.values()) same(windows.get(at), value)
    same((await windows.page()).length, world.windows.size)
  }

  /** Commits all and checks that the backend holds exactly the rows it should: no index row and no timer is left over. */
  async finish(): Promise<void> {
    await this.#runBatches('commit')
    await this.#runBatches('seal')
    await this.#runBatches('commit')
    await this.#compareView()
    const { rows, windows, timers } = this.#committed
    const indexed = [...rows.values()].filter(({ n }) => n % 2 === 0).length
    const expected = rows.size + indexed + 2 * windows.size + 2 * timers.size
    same((await allRows(this.#backend)).filter(isRow).length, expected)
  }
}

/** The descriptors that go with a store's first write are no rows. */
function isRow({ key }: { readonly key: Buffer }): boolean {
  return !/(rows|windows|timers)\x02$/.test(key.toString('latin1'))
}

export function allRows(backend: StateBackend): ReturnType<StateBackend['page']> {
  const after = Buffer.concat([backend.prefix, Buffer.from([0xff])])
  return backend.page({ gte: backend.prefix, lt: after }, { limit: 1_000_000 })
}
