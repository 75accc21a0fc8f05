import { beforeEach, describe, expect, expectTypeOf, test } from 'vitest'
import {
  type CommittedView,
  keys,
  keyValueStore,
  type KeyValueStore,
  memoryBackend,
  type Scan,
  serdes,
  type StateBackend,
  TaskState,
  windowStore,
  type WindowStore,
} from '../../../state/index.ts'

interface Claim {
  readonly member: string
  readonly rank: number
}

const claims = keyValueStore({ name: 'claims', value: serdes.json<Claim>() })
const ranked = keyValueStore({
  name: 'ranked',
  key: keys.tuple(keys.string, keys.int64),
  value: serdes.json<Claim>(),
  indexes: { best: { group: ([coupon]) => coupon, score: (_key, claim) => claim.rank } },
})
const daily = windowStore({ name: 'daily', value: serdes.int64, retentionMs: 1_000 })

let backend: StateBackend
let state: TaskState

beforeEach(() => {
  backend = memoryBackend()
  state = newState()
})

function newState(): TaskState {
  return new TaskState({ reader: backend, specs: [claims, ranked, daily], withChanges: true, heldTimers: 2 })
}

async function commit(): Promise<void> {
  await backend.write(state.seal().ops)
  state.committed()
}

async function read<T>(scan: Scan<T>): Promise<T> {
  let step = scan.next()
  while (!step.done) step = scan.next(await state.readPage(step.value))
  return step.value
}

describe('types of handles and views', () => {
  test('follow from the spec alone', () => {
    expectTypeOf(state.handle(claims)).toEqualTypeOf<KeyValueStore<string, Claim>>()
    expectTypeOf(state.handle(ranked)).toEqualTypeOf<KeyValueStore<[string, number], Claim, 'best'>>()
    expectTypeOf(state.handle(daily)).toEqualTypeOf<WindowStore<string, number>>()
    expectTypeOf(state.committedView(claims)).toEqualTypeOf<CommittedView<string, Claim>>()
  })

  test('refuse other keys, values and indexes', () => {
    // @ts-expect-error -- the key is a tuple
    expect(() => state.handle(ranked).get('a')).toThrow(RangeError)
    // @ts-expect-error -- there is no such index
    expect(() => state.handle(ranked).index('worst')).toThrow('no index worst')
    // @ts-expect-error -- the value is a number
    expect(() => state.handle(daily).put('day', 0, 'a', 'one')).toThrow(RangeError)
  })
})

describe('what a batch writes', () => {
  const claim = { member: 'm1', rank: 1 }

  test('several puts of one key are one write', () => {
    state.handle(claims).put('c', claim)
    state.handle(claims).put('c', { ...claim, rank: 2 })
    const { ops, changes } = state.seal()
    expect(ops).toHaveLength(1)
    const value = Buffer.from(JSON.stringify({ member: 'm1', rank: 2 }))
    expect(changes).toEqual([{ store: 'claims', key: Buffer.from('c'), value }])
  })

  test('a key put and deleted that is known to be absent writes nothing', () => {
    const store = state.handle(claims)
    expect(store.get('c')).toBeUndefined()
    store.put('c', claim)
    store.delete('c')
    expect(state.seal()).toEqual({ ops: [], changes: [] })
  })

  test('in a store with an index, the backend is asked whether a deleted key was there', () => {
    const store = state.handle(ranked)
    store.put(['c', 1], claim)
    store.delete(['c', 1])
    expect(state.seal().ops).toEqual([])
  })

  test('deleting a committed row deletes its index rows', async () => {
    state.handle(ranked).put(['c', 1], claim)
    await commit()
    state.handle(ranked).delete(['c', 1])
    expect(state.seal().ops.map(({ type }) => type)).toEqual(['del', 'del'])
  })

  test('changes are listed only where they are wanted', () => {
    const quiet = new TaskState({ reader: backend, specs: [claims], withChanges: false })
    quiet.handle(claims).put('c', claim)
    expect(quiet.seal()).toMatchObject({ ops: [{ type: 'put' }], changes: [] })
  })

  test('what cannot be encoded fails where it is put, and leaves the row as it was', () => {
    const store = state.handle(daily)
    store.put('day', 0, 'a', 1)
    expect(() => store.put('day', 0, 'a', 0.5)).toThrow(RangeError)
    expect(() => store.put('day', 0.5, 'a', 1)).toThrow(RangeError)
    expect(() => state.handle(claims).put('\ud800', claim)).toThrow(TypeError)
    expect(() => state.handle(claims).put('c', undefined as unknown as Claim)).toThrow(TypeError)
    expect(() => state.handle(ranked).put(['c', 1], { ...claim, rank: 0.5 })).toThrow(RangeError)
    expect(store.get('day', 0, 'a')).toBe(1)
    expect(state.seal().ops).toHaveLength(1)
  })

  test('only one batch is pending at a time', () => {
    state.seal()
    expect(() => state.seal()).toThrow('A batch is pending')
    expect(state.hasPending).toBe(true)
    state.committed()
    expect(() => state.committed()).toThrow('No batch is pending')
  })
})

describe('reading', () => {
  test('a committed value is decoded once', async () => {
    state.handle(claims).put('c', { member: 'm', rank: 1 })
    await commit()
    state = newState()
    const first = state.handle(claims).get('c')
    expect(state.handle(claims).get('c')).toBe(first)
  })

  test('a query does not push out what the processors use', async () => {
    let reads = 0
    const counting = { ...reader(), get: (key: Buffer) => (reads++, backend.get(key)) }
    state = new TaskState({ reader: counting, specs: [claims], withChanges: false, cacheEntries: 2 })
    state.handle(claims).get('used')
    for (let i = 0; i < 10; i++) state.committedView(claims).get(`other-${i}`)
    reads = 0
    state.handle(claims).get('used')
    expect(reads).toBe(0)
  })

  test('keys asked for and absent are remembered within the bound of the cache', () => {
    let reads = 0
    const counting = { ...reader(), get: (key: Buffer) => (reads++, backend.get(key)) }
    state = new TaskState({ reader: counting, specs: [claims], withChanges: false, cacheEntries: 10 })
    for (let i = 0; i < 1_000; i++) state.handle(claims).get(`absent-${i}`)
    reads = 0
    for (let i = 0; i < 1_000; i++) state.handle(claims).get(`absent-${i}`)
    expect(reads).toBeGreaterThan(980)
    reads = 0
    state.handle(claims).get('absent-999')
    expect(reads).toBe(0)
  })

  test('rows that share the first parts of their key are scanned by prefix', async () => {
    const store = state.handle(ranked)
    for (const key of [
      ['a', 5],
      ['a', -5],
      ['b', 0],
      ['a\0', 1],
    ] as [string, number][]) {
      store.put(key, { member: key[0], rank: key[1] })
    }
    const found = await read(store.scan({ prefix: ['a'] }))
    expect(found.map(([key]) => key)).toEqual([
      ['a', -5],
      ['a', 5],
    ])
    expect((await read(store.scan({ prefix: ['a'], from: ['a', 0] }))).map(([key]) => key)).toEqual([
      ['a', 5],
    ])
    expect((await read(store.scan({ prefix: ['a'], to: ['b', 1] }))).map(([key]) => key[1])).toEqual([-5, 5])
  })

  test('a view goes on after the last key of the page before, both ways', async () => {
    for (const key of ['a', 'b', 'c']) state.handle(claims).put(key, { member: key, rank: 0 })
    await commit()
    const view = state.committedView(claims)
    const keysOf = async (options: Parameters<typeof view.page>[0]) =>
      (await view.page(options)).map(([key]) => key)
    expect(await keysOf({ after: 'a' })).toEqual(['b', 'c'])
    expect(await keysOf({ after: 'a', from: 'c' })).toEqual(['c'])
    expect(await keysOf({ after: 'c', reverse: true })).toEqual(['b', 'a'])
    expect(await keysOf({ after: 'c', to: 'b', reverse: true })).toEqual(['a'])
  })

  test.each([-1, 0.5, 100_001, Number.NaN])('a limit of %d rows is refused', async (limit) => {
    expect(() => state.readPage({ store: 'claims', from: '', to: undefined, limit, reverse: false })).toThrow(
      RangeError,
    )
    await expect(state.committedView(claims).page({ limit })).rejects.toThrow(RangeError)
  })

  test('a store or spec of another task is refused', () => {
    const other = keyValueStore({ name: 'claims', value: serdes.json<Claim>() })
    expect(() => state.handle(other)).toThrow('not of this task')
    expect(() => state.readPage({ store: 'x', from: '', to: undefined, limit: 1, reverse: false })).toThrow(
      'not of this',
    )
  })
})

describe('what is stored', () => {
  const damage = async (at: (value: Buffer) => number): Promise<void> => {
    state.handle(claims).put('c', { member: 'm', rank: 1 })
    await commit()
    const key = Buffer.from('claims\x00c')
    const value = Buffer.from(backend.get(key) as Buffer)
    const position = at(value)
    value.writeUInt8(value.readUInt8(position) ^ 0x10, position)
    await backend.write([{ type: 'put', key, value }])
    state = newState()
  }

  test.each([
    ['version', () => 0],
    ['payload', () => 3],
    ['checksum', (value: Buffer) => value.length - 1],
  ])('a flipped bit in the %s is found at every read, and the key is named', async (_part, at) => {
    await damage(at)
    const corrupt = {
      code: 'STATE_CORRUPT',
      reaction: 'drop-task',
      message: /store claims, key 636c61696d730063/,
    }
    expect(() => state.handle(claims).get('c')).toThrow(expect.objectContaining({ code: 'STATE_CORRUPT' }))
    expect(() => state.committedView(claims).get('c')).toThrow(/store claims, key 636c61696d730063/)
    await expect(read(state.handle(claims).scan())).rejects.toMatchObject({
      code: corrupt.code,
      reaction: corrupt.reaction,
    })
    await expect(state.committedView(claims).page()).rejects.toMatchObject({ code: 'STATE_CORRUPT' })
  })

  test('a value that strays under another key is found', async () => {
    state.handle(claims).put('c', { member: 'm', rank: 1 })
    await commit()
    const value = backend.get(Buffer.from('claims\x00c')) as Buffer
    await backend.write([{ type: 'put', key: Buffer.from('claims\x00d'), value }])
    expect(() => state.handle(claims).get('d')).toThrow(expect.objectContaining({ code: 'STATE_CORRUPT' }))
  })

  test('a value cut short is found', async () => {
    await backend.write([{ type: 'put', key: Buffer.from('claims\x00c'), value: Buffer.alloc(3) }])
    expect(() => state.handle(claims).get('c')).toThrow(expect.objectContaining({ code: 'STATE_CORRUPT' }))
  })

  test('a damaged index row is found, and a damaged base keeps a batch from being sealed', async () => {
    state.handle(ranked).put(['c', 1], { member: 'm', rank: 1 })
    await commit()
    const rows = await backend.page(
      { gte: Buffer.from('ranked'), lt: Buffer.from('ranke\x65') },
      { limit: 10 },
    )
    expect(rows).toHaveLength(0)
    const all = await backend.page({ gte: Buffer.from('r'), lt: Buffer.from('s') }, { limit: 10 })
    expect(all).toHaveLength(2)
    await backend.write(all.map(({ key, value }) => ({ type: 'put', key, value: flipped(value) })))
    state = newState()
    await expect(read(state.handle(ranked).index('best').top('c', 1))).rejects.toMatchObject({
      code: 'STATE_CORRUPT',
    })
    state.handle(ranked).put(['c', 1], { member: 'm', rank: 2 })
    expect(() => state.seal()).toThrow(expect.objectContaining({ code: 'STATE_CORRUPT' }))
    expect(state.hasPending).toBe(false)
  })

  test('a newer version is refused, an older one too unless there is an upcast', async () => {
    const value = serdes.json<Claim>()
    const written = keyValueStore({ name: 'claims', value, version: 2 })
    state = new TaskState({ reader: backend, specs: [written], withChanges: false })
    state.handle(written).put('c', { member: 'm', rank: 1 })
    await commit()
    for (const version of [1, 3]) {
      const spec = keyValueStore({ name: 'claims', value, version })
      const other = new TaskState({ reader: backend, specs: [spec], withChanges: false })
      const refusal = expect.objectContaining({ code: 'STATE_INCOMPATIBLE', reaction: 'stop' })
      expect(() => other.handle(spec).get('c')).toThrow(refusal)
    }
    const upcast = (version: number, payload: Buffer) => ({
      ...value.deserialize(payload),
      member: `from ${version}`,
    })
    const newer = keyValueStore({ name: 'claims', value, version: 3, upcast })
    const next = new TaskState({ reader: backend, specs: [newer], withChanges: false })
    expect(next.handle(newer).get('c')).toEqual({ member: 'from 2', rank: 1 })
  })
})

describe('restoring from a changelog', () => {
  test('an older payload is brought to the present version', async () => {
    const value = serdes.json<Claim>()
    const upcast = (_version: number, payload: Buffer) => ({ member: payload.toString(), rank: 7 })
    const spec = keyValueStore({ name: 'claims', value, version: 2, upcast })
    state = new TaskState({ reader: backend, specs: [spec], withChanges: false })
    state.applyChange('claims', Buffer.from('c'), Buffer.from('m'), 1)
    await commit()
    expect(state.handle(spec).get('c')).toEqual({ member: 'm', rank: 7 })
    expect(() => state.applyChange('claims', Buffer.from('c'), Buffer.from('m'), 3)).toThrow(/version 3/)
  })

  test('a row that was restored can be read before it is committed', () => {
    state.applyChange('claims', Buffer.from('c'), Buffer.from('{"member":"m","rank":1}'), 1)
    expect(state.handle(claims).get('c')).toEqual({ member: 'm', rank: 1 })
    state.applyChange('claims', Buffer.from('c'), null, 1)
    expect(state.handle(claims).get('c')).toBeUndefined()
  })

  test('a timer that is restored after timers were loaded fires', async () => {
    state.timer('wall', 'expire').schedule('a', 5)
    const { changes } = state.seal()
    state.discard()
    await state.loadTimers('wall')
    expect(state.nextTimerAt('wall')).toBe(Infinity)
    for (const { store, key, value } of changes) state.applyChange(store, key, value, 1)
    expect(state.popDueTimer('wall', 5)).toEqual({ clock: 'wall', name: 'expire', key: 'a', at: 5 })
  })
})

describe('timers', () => {
  test('one that is set while timers are being loaded is not missed', async () => {
    const timer = state.timer('wall', 'expire')
    timer.schedule('a', 1)
    timer.schedule('b', 2)
    timer.schedule('c', 3)
    await commit()
    state = newState()
    const loading = state.loadTimers('wall')
    state.timer('wall', 'expire').schedule('early', 0)
    state.timer('wall', 'expire').cancel('a')
    await loading
    expect(state.popDueTimer('wall', 9)).toMatchObject({ key: 'early' })
    expect(state.popDueTimer('wall', 9)).toMatchObject({ key: 'b' })
  })

  test('no more than twice the horizon is held, however many are set', async () => {
    await state.loadTimers('wall')
    const timer = state.timer('wall', 'expire')
    for (let at = 100; at > 0; at--) timer.schedule(`t${at}`, at)
    const fired: number[] = []
    while (fired.length < 100) {
      if (state.needsTimerLoad('wall', 100)) await state.loadTimers('wall')
      fired.push(state.popDueTimer('wall', 100)?.at ?? -1)
    }
    expect(fired).toEqual(Array.from({ length: 100 }, (_, i) => i + 1))
    expect(state.popDueTimer('wall', 100)).toBeUndefined()
  })

  test('before the first load, something is to be done at once', () => {
    expect(state.nextTimerAt('stream')).toBe(0)
    expect(state.needsTimerLoad('stream', -1)).toBe(false)
    expect(state.needsTimerLoad('stream', 0)).toBe(true)
  })

  test.each([-1, 0.5, Number.NaN, Infinity])('a time of %d is refused', (at) => {
    expect(() => state.timer('wall', 'expire').schedule('a', at)).toThrow(RangeError)
  })

  test.each(['', 'with blank', 'nul\0', 'ü'])('the name %j is refused', (name) => {
    expect(() => state.timer('wall', name)).toThrow(RangeError)
  })
})

test('two stores of one name are refused', () => {
  const twice = () => new TaskState({ reader: backend, specs: [claims, claims], withChanges: false })
  expect(twice).toThrow('Two stores have the name claims')
})

function reader() {
  return {
    prefix: backend.prefix,
    page: backend.page.bind(backend),
    approximateBytes: backend.approximateBytes.bind(backend),
  }
}

function flipped(value: Buffer): Buffer {
  const copy = Buffer.from(value)
  copy.writeUInt8(copy.readUInt8(2) ^ 1, 2)
  return copy
}
