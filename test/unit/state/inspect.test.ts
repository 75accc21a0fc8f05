/** What a tool sees of stored rows: checked, decoded, in slices. */
import { beforeEach, describe, expect, test } from 'vitest'
import {
  type AnyStoreSpec,
  dumpStore,
  keyBeginning,
  type StateError,
  verifyStores,
} from '../../../state/index.ts'
import { Bench, claims, daily, ranked } from './bench.ts'

let bench: Bench

beforeEach(async () => {
  bench = new Bench()
  for (let i = 0; i < 1_200; i++)
    bench.state.handle(claims).put(`c${String(i).padStart(4, '0')}`, { member: 'm', rank: i })
  bench.state.handle(ranked).put(['a', 1], { member: 'm', rank: 1 })
  bench.state.handle(ranked).put(['ab', 2], { member: 'n', rank: 2 })
  bench.state.handle(daily).put('day', 86_400_000, 'mug', 7)
  bench.state.timer('wall', 'close').schedule('coupon', 99)
  await bench.commit()
})

/** Flips a bit of the row's value, in the backend. */
async function damage(key: string): Promise<void> {
  const at = Buffer.from(key, 'latin1')
  const value = Buffer.from(bench.backend.get(at) as Buffer)
  value.writeUInt8(value.readUInt8(2) ^ 1, 2)
  await bench.backend.write([{ type: 'put', key: at, value }])
}

async function dump(store: string, spec?: AnyStoreSpec, prefix = '') {
  const rows = dumpStore(bench.backend, { store, spec, begins: keyBeginning(spec, prefix) })
  return Array.fromAsync(rows)
}

describe('the check of stored rows', () => {
  test('reads all of them, those of indexes, timers and descriptors too', async () => {
    const rows = await verifyStores(bench.backend, (error) => {
      throw error
    })
    expect(Object.fromEntries(rows)).toEqual({ claims: 1_201, ranked: 5, daily: 2, timers: 3 })
  })

  test('names every damaged one, and goes on behind it', async () => {
    await damage('claims\x00c0003')
    await damage('claims\x00c1100')
    await damage('ranked\x02')
    const found: StateError[] = []
    const rows = await verifyStores(bench.backend, (error) => void found.push(error))
    expect(found.map(({ detail }) => detail)).toEqual([
      expect.stringContaining(`store claims, key ${Buffer.from('claims\x00c0003').toString('hex')}`),
      expect.stringContaining(Buffer.from('claims\x00c1100').toString('hex')),
      expect.stringContaining('store ranked'),
    ])
    expect(rows.get('claims')).toBe(1_201)
  })
})

describe('a dump', () => {
  test('has every row once, in the order of the keys, decoded', async () => {
    const rows = await dump('claims', claims)
    expect(rows).toHaveLength(1_200)
    expect(rows[7]).toEqual({ key: 'c0007', value: { member: 'm', rank: 7 }, version: 1 })
    expect(await dump('daily', daily)).toEqual([
      { key: { window: 'day', start: 86_400_000, key: 'mug' }, value: 7, version: 1 },
    ])
    expect(await dump('timers')).toEqual([{ key: 'wclose\x00coupon', value: 99, version: 1 }])
  })

  test('begins with a prefix: text, or the first parts of a key', async () => {
    expect(await dump('claims', claims, 'c11')).toHaveLength(100)
    expect(await dump('ranked', ranked, '["a"]')).toMatchObject([{ key: ['a', 1] }])
    expect(() => keyBeginning(ranked, 'a')).toThrow(TypeError)
    expect(() => keyBeginning(ranked, '["a",1,2]')).toThrow(TypeError)
  })

  test('shows bytes where the program knows no store of the name, and where a row is damaged', async () => {
    const [raw] = await dump('ranked')
    expect(raw).toMatchObject({ value: Buffer.from('{"member":"m","rank":1}').toString('hex'), version: 1 })
    await damage('claims\x00c0000')
    const [broken, whole] = await dump('claims', claims)
    expect(broken).toMatchObject({
      rawKey: Buffer.from('c0000').toString('hex'),
      error: expect.stringContaining('damaged'),
    })
    expect(whole).toMatchObject({ key: 'c0001' })
  })
})
