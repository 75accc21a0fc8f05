/** What lies in the backend: envelopes, versions, and the indexes a store was written with. */
import { beforeEach, describe, expect, test } from 'vitest'
import { keyValueStore, rebuildIndexes, serdes, TaskState } from '../../../state/index.ts'
import { Bench, type Claim, claims, ranked } from './bench.ts'

let bench: Bench

beforeEach(() => {
  bench = new Bench()
})

describe('what is stored', () => {
  const damage = async (at: (value: Buffer) => number): Promise<void> => {
    bench.state.handle(claims).put('c', { member: 'm', rank: 1 })
    await bench.commit()
    const key = Buffer.from('claims\x00c')
    const value = Buffer.from(bench.backend.get(key) as Buffer)
    const position = at(value)
    value.writeUInt8(value.readUInt8(position) ^ 0x10, position)
    await bench.backend.write([{ type: 'put', key, value }])
    bench.restart()
  }

  test.each([
    ['version', () => 0],
    ['payload', () => 3],
    ['checksum', (value: Buffer) => value.length - 1],
  ])('a flipped bit in the %s is found at every read, and the key is named', async (_part, at) => {
    await damage(at)
    const corrupt = { code: 'STATE_CORRUPT', reaction: 'drop-task' }
    expect(() => bench.state.handle(claims).get('c')).toThrow(expect.objectContaining(corrupt))
    expect(() => bench.state.committedView(claims).get('c')).toThrow(/store claims, key 636c61696d730063/)
    await expect(bench.read(bench.state.handle(claims).scan())).rejects.toMatchObject(corrupt)
    await expect(bench.state.committedView(claims).page()).rejects.toMatchObject(corrupt)
  })

  test('a value that strays under another key is found', async () => {
    bench.state.handle(claims).put('c', { member: 'm', rank: 1 })
    await bench.commit()
    const value = bench.backend.get(Buffer.from('claims\x00c')) as Buffer
    await bench.backend.write([{ type: 'put', key: Buffer.from('claims\x00d'), value }])
    expect(() => bench.state.handle(claims).get('d')).toThrow(
      expect.objectContaining({ code: 'STATE_CORRUPT' }),
    )
  })

  test('a value cut short is found', async () => {
    await bench.backend.write([{ type: 'put', key: Buffer.from('claims\x00c'), value: Buffer.alloc(3) }])
    expect(() => bench.state.handle(claims).get('c')).toThrow(
      expect.objectContaining({ code: 'STATE_CORRUPT' }),
    )
  })

  test('a damaged index row is found, and a damaged base keeps a batch from being sealed', async () => {
    bench.state.handle(ranked).put(['c', 1], { member: 'm', rank: 1 })
    await bench.commit()
    const all = await bench.backend.page({ gte: Buffer.from('r'), lt: Buffer.from('s') }, { limit: 10 })
    expect(all).toHaveLength(3)
    await bench.backend.write(
      all
        .filter(({ key }) => key.at(-1) !== 2)
        .map(({ key, value }) => ({ type: 'put', key, value: flipped(value) })),
    )
    bench.restart()
    await expect(bench.read(bench.state.handle(ranked).index('best').top('c', 1))).rejects.toMatchObject({
      code: 'STATE_CORRUPT',
    })
    bench.state.handle(ranked).put(['c', 1], { member: 'm', rank: 2 })
    expect(() => bench.state.seal()).toThrow(expect.objectContaining({ code: 'STATE_CORRUPT' }))
    expect(bench.state.hasPending).toBe(false)
  })

  test('a newer version is refused, an older one too unless there is an upcast', async () => {
    const value = serdes.json<Claim>()
    const written = keyValueStore({ name: 'claims', value, version: 2 })
    bench.state = new TaskState({ reader: bench.backend, specs: [written], withChanges: false })
    bench.state.handle(written).put('c', { member: 'm', rank: 1 })
    await bench.commit()
    for (const version of [1, 3]) {
      const spec = keyValueStore({ name: 'claims', value, version })
      const open = () => new TaskState({ reader: bench.backend, specs: [spec], withChanges: false })
      const refusal = expect.objectContaining({ code: 'STATE_INCOMPATIBLE', reaction: 'stop' })
      expect(open).toThrow(refusal)
      expect(open).toThrow(version === 1 ? 'use a newer one' : 'millrace state rebuild')
    }
    const upcast = (version: number, payload: Buffer) => ({
      ...value.deserialize(payload),
      member: `from ${version}`,
    })
    const newer = keyValueStore({ name: 'claims', value, version: 3, upcast })
    const next = new TaskState({ reader: bench.backend, specs: [newer], withChanges: false })
    expect(next.handle(newer).get('c')).toEqual({ member: 'from 2', rank: 1 })
  })
})

describe('indexes', () => {
  const value = serdes.json<Claim>()
  const byRank = { group: () => 'all', score: (_key: string, claim: Claim) => claim.rank }
  const plain = keyValueStore({ name: 'claims', value })
  const indexed = keyValueStore({ name: 'claims', value, indexes: { best: byRank } })
  const reversed = keyValueStore({
    name: 'claims',
    value,
    indexes: { best: { group: () => 'all', score: (_key, claim) => -claim.rank, version: 2 } },
  })
  type Spec = typeof plain | typeof indexed
  const open = (spec: Spec) => new TaskState({ reader: bench.backend, specs: [spec], withChanges: false })

  async function fill(spec: Spec): Promise<void> {
    const state = open(spec)
    for (let rank = 0; rank < 2_500; rank++) state.handle(spec).put(`m${rank}`, { member: `m${rank}`, rank })
    await bench.backend.write(state.seal().ops)
  }

  async function rebuild(spec: Spec, batches = Infinity): Promise<void> {
    let written = 0
    for await (const ops of rebuildIndexes(bench.backend, spec)) {
      if (written++ === batches) return
      expect(ops.length).toBeLessThanOrEqual(1_000)
      await bench.backend.write(ops)
    }
  }

  test('that a store was not written with keep it from being opened, until they are rebuilt', async () => {
    await fill(plain)
    const refusal = {
      code: 'STATE_INCOMPATIBLE',
      detail: /written with the indexes {}; this program has {"best":1}/,
    }
    expect(() => open(indexed)).toThrow(expect.objectContaining({ code: refusal.code }))
    expect(() => open(indexed)).toThrow(refusal.detail)
    await rebuild(indexed)
    const best = await open(indexed).committedView(indexed).top('best', 'all', 2)
    expect(best.map(({ key }) => key)).toEqual(['m2499', 'm2498'])
    expect(() => open(plain)).toThrow(expect.objectContaining({ code: 'STATE_INCOMPATIBLE' }))
  })

  test('of another version are other indexes: rebuilding leaves nothing of the old', async () => {
    await fill(indexed)
    expect(() => open(reversed)).toThrow('{"best":1}; this program has {"best":2}')
    await rebuild(reversed)
    const worst = await open(reversed).committedView(reversed).top('best', 'all', 5_000)
    expect(worst).toHaveLength(2_500)
    expect(worst[0]?.key).toBe('m0')
  })

  test('whose rebuild was cut short are refused as before', async () => {
    await fill(indexed)
    await rebuild(reversed, 4)
    expect(() => open(reversed)).toThrow(expect.objectContaining({ code: 'STATE_INCOMPATIBLE' }))
    await rebuild(reversed)
    expect(await open(reversed).committedView(reversed).top('best', 'all', 5_000)).toHaveLength(2_500)
  })

  test('are described with the first write only, and again when that was dropped', async () => {
    const state = open(indexed)
    const described = () => state.seal().ops.some(({ key }) => key.equals(Buffer.from('claims\x02')))
    state.handle(indexed).put('m', { member: 'm', rank: 1 })
    expect(described()).toBe(true)
    state.discard()
    state.handle(indexed).put('m', { member: 'm', rank: 1 })
    expect(described()).toBe(true)
    state.committed()
    state.handle(indexed).put('m', { member: 'm', rank: 2 })
    expect(described()).toBe(false)
  })
})

function flipped(value: Buffer): Buffer {
  const copy = Buffer.from(value)
  copy.writeUInt8(copy.readUInt8(2) ^ 1, 2)
  return copy
}
