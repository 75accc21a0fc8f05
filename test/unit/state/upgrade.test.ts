/** Stores that an older program wrote: read at once, written anew beside the work, or refused with the way out. */
import { beforeEach, describe, expect, test } from 'vitest'
import {
  type AnyStoreSpec,
  keys,
  keyValueStore,
  memoryBackend,
  serdes,
  type StateBackend,
  TaskState,
  windowStore,
} from '../../../state/index.ts'
import { sealRow } from '../../../state/rows.ts'

interface Guest {
  readonly name: string
  readonly visits: number
}

const byVisits = { group: () => 'all', score: (_key: string, { visits }: Guest) => visits }
/** Version 1 kept a name only. */
const old = keyValueStore({ name: 'guests', value: serdes.json<string>() })
const second = {
  name: 'guests',
  value: serdes.json<Guest>(),
  version: 2,
  upcast: (_version: number, payload: Buffer) => {
    return { name: serdes.json<string>().deserialize(payload), visits: 0 }
  },
}
const present = keyValueStore(second)
/** Enough for several slices. */
const GUESTS = 1_200

let backend: StateBackend

beforeEach(() => {
  backend = memoryBackend()
})

function open(...specs: readonly AnyStoreSpec[]): TaskState {
  return new TaskState({ reader: backend, specs, withChanges: true })
}

async function commit(state: TaskState) {
  const sealed = state.seal()
  await backend.write(sealed.ops)
  state.committed()
  return sealed
}

async function writeOld(): Promise<void> {
  const state = open(old)
  for (let i = 0; i < GUESTS; i++) state.handle(old).put(keyOf(i), `guest ${i}`)
  await commit(state)
}

function keyOf(i: number): string {
  return `g${String(i).padStart(4, '0')}`
}

/** Versions of the stored values, by how many have each. */
async function versions(): Promise<Record<number, number>> {
  const rows = await backend.page(
    { gte: Buffer.from('guests\x00'), lt: Buffer.from('guests\x01') },
    { limit: 10_000 },
  )
  const counts: Record<number, number> = {}
  for (const { value } of rows) counts[value[0] as number] = (counts[value[0] as number] ?? 0) + 1
  return counts
}

describe('values of an older version', () => {
  test('are read as those of the present one, and written anew a slice per batch', async () => {
    await writeOld()
    const state = open(present)
    expect(state.handle(present).get('g0007')).toEqual({ name: 'guest 7', visits: 0 })
    let batches = 0
    while (state.hasOldRows) {
      await state.rewriteSome()
      const { changes } = await commit(state)
      expect(changes.length).toBeLessThanOrEqual(500)
      batches++
    }
    expect(batches).toBe(3)
    expect(await versions()).toEqual({ 2: GUESTS })
    expect(state.handle(present).get('g0007')).toEqual({ name: 'guest 7', visits: 0 })
    const again = open(present)
    expect(again.hasOldRows).toBe(false)
    expect(() => open(old)).toThrow('use a newer one')
  })

  test('are rewritten from the start where a batch was dropped, or the program ended', async () => {
    await writeOld()
    const state = open(present)
    await state.rewriteSome()
    await commit(state)
    await state.rewriteSome()
    state.seal()
    state.discard()
    expect(await versions()).toEqual({ 1: 700, 2: 500 })
    const next = open(present)
    while (next.hasOldRows) {
      await next.rewriteSome()
      await commit(next)
    }
    expect(await versions()).toEqual({ 2: GUESTS })
    expect(open(present).hasOldRows).toBe(false)
  })

  test('never come back over what a batch puts or deletes meanwhile', async () => {
    await writeOld()
    const state = open(present)
    const guests = state.handle(present)
    guests.put('g0001', { name: 'ann', visits: 7 })
    guests.delete('g0002')
    const pending = state.seal()
    guests.put('g0003', { name: 'bob', visits: 1 })
    const rewriting = state.rewriteSome()
    await backend.write(pending.ops)
    state.committed()
    await rewriting
    while (state.hasOldRows) await state.rewriteSome()
    await commit(state)
    expect(['g0001', 'g0002', 'g0003'].map((key) => guests.get(key))).toEqual([
      { name: 'ann', visits: 7 },
      undefined,
      { name: 'bob', visits: 1 },
    ])
    expect(await versions()).toEqual({ 2: GUESTS - 1 })
  })

  test('bring their index rows along', async () => {
    const indexes = { most: byVisits }
    const first = keyValueStore({
      name: 'guests',
      value: serdes.json<string>(),
      indexes: { most: { group: () => 'all', score: () => 0 } },
    })
    const state = open(first)
    state.handle(first).put('g', 'guest')
    await commit(state)
    const indexed = keyValueStore({ ...second, indexes })
    const next = open(indexed)
    await next.rewriteSome()
    await commit(next)
    expect(await next.committedView(indexed).top('most', 'all', 5)).toEqual([
      { key: 'g', value: { name: 'guest', visits: 0 }, score: 0 },
    ])
  })
})

describe('a store that was written otherwise is refused, and told the way out', () => {
  const value = serdes.json<string>()
  const rows: readonly (readonly [what: string, spec: AnyStoreSpec, why: RegExp])[] = [
    [
      'kind',
      windowStore({ name: 'guests', value, retentionMs: 1 }),
      /kind key-value; this program has window/,
    ],
    [
      'key',
      keyValueStore({ name: 'guests', key: keys.tuple(keys.string, keys.int64), value }),
      /key string; this program has tuple\(string,int64\)/,
    ],
    [
      'indexes',
      keyValueStore({ name: 'guests', value, indexes: { all: { group: () => '', score: () => 1 } } }),
      /indexes \{\}; this program has \{"all":1\}/,
    ],
    ['values', keyValueStore({ name: 'guests', value, version: 2 }), /values of version 1; .* no upcast/],
  ]
  test.each(rows)('another %s', async (_what, spec, why) => {
    await writeOld()
    expect(() => open(spec)).toThrow(why)
    expect(() => open(spec)).toThrow(/millrace state rebuild.*millrace reset/)
    expect(() => open(spec)).toThrow(expect.objectContaining({ code: 'STATE_INCOMPATIBLE' }))
  })

  test('but not one that the first programs wrote, which said less', async () => {
    await writeOld()
    const first = sealRow(Buffer.alloc(0), 'guests\x02', 1, Buffer.from('{}'))
    await backend.write([first])
    const state = open(old)
    expect(state.hasOldRows).toBe(false)
    state.handle(old).put('g', 'guest')
    await commit(state)
    expect(() => open(windowStore({ name: 'guests', value, retentionMs: 1 }))).toThrow(/kind/)
    await backend.write([first])
    expect(open(present).hasOldRows).toBe(true)
    expect(() => open(keyValueStore({ name: 'guests', value, indexes: { all: byVisits as never } }))).toThrow(
      /indexes/,
    )
  })
})
