import { beforeEach, describe, expect, expectTypeOf, test } from 'vitest'
import {
  type CommittedView,
  keyValueStore,
  type KeyValueStore,
  serdes,
  TaskState,
  type WindowStore,
} from '../../../state/index.ts'
import { Bench, type Claim, claims, daily, ranked, rowsOf } from './bench.ts'

let bench: Bench

beforeEach(() => {
  bench = new Bench()
})

describe('types of handles and views', () => {
  test('follow from the spec alone', () => {
    expectTypeOf(bench.state.handle(claims)).toEqualTypeOf<KeyValueStore<string, Claim>>()
    expectTypeOf(bench.state.handle(ranked)).toEqualTypeOf<KeyValueStore<[string, number], Claim, 'best'>>()
    expectTypeOf(bench.state.handle(daily)).toEqualTypeOf<WindowStore<string, number>>()
    expectTypeOf(bench.state.committedView(claims)).toEqualTypeOf<CommittedView<string, Claim>>()
  })

  test('refuse other keys, values and indexes', () => {
    // @ts-expect-error -- the key is a tuple
    expect(() => bench.state.handle(ranked).get('a')).toThrow(RangeError)
    // @ts-expect-error -- there is no such index
    expect(() => bench.state.handle(ranked).index('worst')).toThrow('no index worst')
    // @ts-expect-error -- the value is a number
    expect(() => bench.state.handle(daily).put('day', 0, 'a', 'one')).toThrow(RangeError)
  })
})

describe('what a batch writes', () => {
  const claim = { member: 'm1', rank: 1 }

  test('several puts of one key are one write', () => {
    bench.state.handle(claims).put('c', claim)
    bench.state.handle(claims).put('c', { ...claim, rank: 2 })
    const { ops, changes } = bench.state.seal()
    expect(rowsOf(ops)).toHaveLength(1)
    const value = Buffer.from(JSON.stringify({ member: 'm1', rank: 2 }))
    expect(changes).toEqual([{ store: 'claims', key: Buffer.from('c'), version: 1, value }])
  })

  test('a key put and deleted that is known to be absent writes nothing', () => {
    const store = bench.state.handle(claims)
    expect(store.get('c')).toBeUndefined()
    store.put('c', claim)
    store.delete('c')
    expect(bench.state.seal()).toEqual({ ops: [], changes: [] })
  })

  test('in a store with an index, the backend is asked whether a deleted key was there', () => {
    const store = bench.state.handle(ranked)
    store.put(['c', 1], claim)
    store.delete(['c', 1])
    expect(rowsOf(bench.state.seal().ops)).toEqual([])
  })

  test('deleting a committed row deletes its index rows', async () => {
    bench.state.handle(ranked).put(['c', 1], claim)
    await bench.commit()
    bench.state.handle(ranked).delete(['c', 1])
    expect(rowsOf(bench.state.seal().ops).map(({ type }) => type)).toEqual(['del', 'del'])
  })

  test('changes are listed only where they are wanted', () => {
    const quiet = new TaskState({ reader: bench.backend, specs: [claims], withChanges: false })
    quiet.handle(claims).put('c', claim)
    const { ops, changes } = quiet.seal()
    expect(rowsOf(ops)).toHaveLength(1)
    expect(changes).toEqual([])
  })

  test('what cannot be encoded fails where it is put, and leaves the row as it was', () => {
    const store = bench.state.handle(daily)
    store.put('day', 0, 'a', 1)
    expect(() => store.put('day', 0, 'a', 0.5)).toThrow(RangeError)
    expect(() => store.put('day', 0.5, 'a', 1)).toThrow(RangeError)
    expect(() => bench.state.handle(claims).put('\ud800', claim)).toThrow(TypeError)
    expect(() => bench.state.handle(claims).put('c', undefined as unknown as Claim)).toThrow(TypeError)
    expect(() => bench.state.handle(ranked).put(['c', 1], { ...claim, rank: 0.5 })).toThrow(RangeError)
    expect(store.get('day', 0, 'a')).toBe(1)
    expect(rowsOf(bench.state.seal().ops)).toHaveLength(1)
  })

  test('only one batch is pending at a time', () => {
    bench.state.seal()
    expect(() => bench.state.seal()).toThrow('A batch is pending')
    expect(bench.state.hasPending).toBe(true)
    bench.state.committed()
    expect(() => bench.state.committed()).toThrow('No batch is pending')
  })
})

describe('reading', () => {
  test('a committed value is decoded once', async () => {
    bench.state.handle(claims).put('c', { member: 'm', rank: 1 })
    await bench.commit()
    bench.restart()
    const first = bench.state.handle(claims).get('c')
    expect(bench.state.handle(claims).get('c')).toBe(first)
  })

  test('a query does not push out what the processors use', async () => {
    let reads = 0
    const counting = { ...reader(), get: (key: Buffer) => (reads++, bench.backend.get(key)) }
    bench.state = new TaskState({ reader: counting, specs: [claims], withChanges: false, cacheEntries: 2 })
    bench.state.handle(claims).get('used')
    for (let i = 0; i < 10; i++) bench.state.committedView(claims).get(`other-${i}`)
    reads = 0
    bench.state.handle(claims).get('used')
    expect(reads).toBe(0)
  })

  test('keys asked for and absent are remembered within the bound of the cache', () => {
    let reads = 0
    const counting = { ...reader(), get: (key: Buffer) => (reads++, bench.backend.get(key)) }
    bench.state = new TaskState({ reader: counting, specs: [claims], withChanges: false, cacheEntries: 10 })
    for (let i = 0; i < 1_000; i++) bench.state.handle(claims).get(`absent-${i}`)
    reads = 0
    for (let i = 0; i < 1_000; i++) bench.state.handle(claims).get(`absent-${i}`)
    expect(reads).toBeGreaterThan(980)
    reads = 0
    bench.state.handle(claims).get('absent-999')
    expect(reads).toBe(0)
  })

  test('rows that share the first parts of their key are scanned by prefix', async () => {
    const store = bench.state.handle(ranked)
    for (const key of [
      ['a', 5],
      ['a', -5],
      ['b', 0],
      ['a\0', 1],
    ] as [string, number][]) {
      store.put(key, { member: key[0], rank: key[1] })
    }
    const found = await bench.read(store.scan({ prefix: ['a'] }))
    expect(found.map(([key]) => key)).toEqual([
      ['a', -5],
      ['a', 5],
    ])
    expect((await bench.read(store.scan({ prefix: ['a'], from: ['a', 0] }))).map(([key]) => key)).toEqual([
      ['a', 5],
    ])
    expect((await bench.read(store.scan({ prefix: ['a'], to: ['b', 1] }))).map(([key]) => key[1])).toEqual([
      -5, 5,
    ])
  })

  test('a view goes on after the last key of the page before, both ways', async () => {
    for (const key of ['a', 'b', 'c']) bench.state.handle(claims).put(key, { member: key, rank: 0 })
    await bench.commit()
    const view = bench.state.committedView(claims)
    const keysOf = async (options: Parameters<typeof view.page>[0]) =>
      (await view.page(options)).map(([key]) => key)
    expect(await keysOf({ after: 'a' })).toEqual(['b', 'c'])
    expect(await keysOf({ after: 'a', from: 'c' })).toEqual(['c'])
    expect(await keysOf({ after: 'c', reverse: true })).toEqual(['b', 'a'])
    expect(await keysOf({ after: 'c', to: 'b', reverse: true })).toEqual(['a'])
  })

  test.each([-1, 0.5, 100_001, Number.NaN])('a limit of %d rows is refused', async (limit) => {
    const request = { store: 'claims', from: '', to: undefined, limit, reverse: false }
    await expect(bench.state.readPage(request)).rejects.toThrow(RangeError)
    await expect(bench.state.committedView(claims).page({ limit })).rejects.toThrow(RangeError)
  })

  test('a store or spec of another task is refused', async () => {
    const other = keyValueStore({ name: 'claims', value: serdes.json<Claim>() })
    expect(() => bench.state.handle(other)).toThrow('not of this task')
    const request = { store: 'x', from: '', to: undefined, limit: 1, reverse: false }
    await expect(bench.state.readPage(request)).rejects.toThrow('not of this task')
  })
})

describe('restoring from a changelog', () => {
  test('an older payload is brought to the present version', async () => {
    const value = serdes.json<Claim>()
    const upcast = (_version: number, payload: Buffer) => ({ member: payload.toString(), rank: 7 })
    const spec = keyValueStore({ name: 'claims', value, version: 2, upcast })
    bench.state = new TaskState({ reader: bench.backend, specs: [spec], withChanges: false })
    bench.state.applyChange('claims', Buffer.from('c'), Buffer.from('m'), 1)
    await bench.commit()
    expect(bench.state.handle(spec).get('c')).toEqual({ member: 'm', rank: 7 })
    expect(() => bench.state.applyChange('claims', Buffer.from('c'), Buffer.from('m'), 3)).toThrow(
      /version 3/,
    )
  })

  test('a row that was restored can be read before it is committed', async () => {
    bench.state.applyChange('claims', Buffer.from('c'), Buffer.from('{"member":"m","rank":1}'), 1)
    expect(await bench.read(bench.state.handle(claims).scan())).toEqual([['c', { member: 'm', rank: 1 }]])
    bench.state.applyChange('claims', Buffer.from('d'), Buffer.from('{"member":"n","rank":2}'), 1)
    expect(bench.state.handle(claims).get('d')).toEqual({ member: 'n', rank: 2 })
    bench.state.applyChange('claims', Buffer.from('c'), null, 1)
    expect(bench.state.handle(claims).get('c')).toBeUndefined()
  })

  test('a timer that is restored after timers were loaded fires', async () => {
    bench.state.timer('wall', 'expire').schedule('a', 5)
    const { changes } = bench.state.seal()
    bench.state.discard()
    await bench.state.loadTimers('wall')
    expect(bench.state.nextTimerAt('wall')).toBe(Infinity)
    for (const { store, key, value } of changes) bench.state.applyChange(store, key, value, 1)
    expect(bench.state.popDueTimer('wall', 5)).toEqual({ clock: 'wall', name: 'expire', key: 'a', at: 5 })
  })
})

test('two stores of one name are refused', () => {
  const twice = () => new TaskState({ reader: bench.backend, specs: [claims, claims], withChanges: false })
  expect(twice).toThrow('Two stores have the name claims')
})

function reader() {
  return {
    prefix: bench.backend.prefix,
    page: bench.backend.page.bind(bench.backend),
    approximateBytes: bench.backend.approximateBytes.bind(bench.backend),
  }
}
