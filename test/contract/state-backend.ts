/** What every `StateBackend` does, whatever it keeps its rows in. */
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Entry, StateBackend, WriteOp } from '../../state/index.ts'

/** A backend under test and how to be rid of it. */
export interface OpenedBackend {
  readonly backend: StateBackend
  readonly dispose: () => Promise<void>
}

const hex = (text: string): Buffer => Buffer.from(text, 'hex')

export function stateBackendContract(name: string, open: () => Promise<OpenedBackend>): void {
  describe(`state backend: ${name}`, () => {
    let opened: OpenedBackend
    let backend: StateBackend

    beforeEach(async () => {
      opened = await open()
      backend = opened.backend
    })

    afterEach(() => opened.dispose())

    /** Keys of the contract lie behind the backend's own prefix, like everybody's. */
    const key = (bytes: string): Buffer => Buffer.concat([backend.prefix, hex(bytes)])
    const put = (at: string, value: string): WriteOp => ({
      type: 'put',
      key: key(at),
      value: Buffer.from(value),
    })
    const del = (at: string): WriteOp => ({ type: 'del', key: key(at) })
    const seen = (rows: Entry[]): (readonly [string, string])[] =>
      rows.map((row) => [row.key.subarray(backend.prefix.length).toString('hex'), row.value.toString()])
    const page = async (gte: string, lt: string, limit = 100, reverse = false) =>
      seen(await backend.page({ gte: key(gte), lt: key(lt) }, { limit, reverse }))

    test('a key that was never written has no value', () => {
      expect(backend.get(key('01'))).toBeUndefined()
    })

    test('a value is read back as it was written, an empty one too', async () => {
      await backend.write([put('01', 'one'), put('02', '')])
      expect(backend.get(key('01'))).toEqual(Buffer.from('one'))
      expect(backend.get(key('02'))).toEqual(Buffer.alloc(0))
    })

    test('the writes of a batch apply in their order', async () => {
      await backend.write([put('01', 'first'), put('01', 'second'), put('02', 'gone'), del('02'), del('03')])
      expect(backend.get(key('01'))?.toString()).toBe('second')
      expect(backend.get(key('02'))).toBeUndefined()
      expect(await page('00', 'ff')).toEqual([['01', 'second']])
    })

    test('an empty batch is written', async () => {
      await backend.write([], { sync: true })
      expect(await page('00', 'ff')).toEqual([])
    })

    test('keys are ordered as unsigned bytes, a shorter one before its extensions', async () => {
      const keys = ['00', '0000', '01', '7f', '80', '80ff', 'c3a9', 'fe', 'feff']
      await backend.write(keys.toReversed().map((at) => put(at, at)))
      expect(await page('00', 'ff')).toEqual(keys.map((at) => [at, at]))
      expect(await page('00', 'ff', 100, true)).toEqual(keys.toReversed().map((at) => [at, at]))
    })

    test('a page begins with its first key and ends before its last', async () => {
      await backend.write(['01', '02', '03', '04'].map((at) => put(at, at)))
      expect(await page('02', '04')).toEqual([
        ['02', '02'],
        ['03', '03'],
      ])
      expect(await page('02', '02')).toEqual([])
      expect(await page('04', '02')).toEqual([])
    })

    test('a page has at most as many rows as asked for, from the end when reversed', async () => {
      await backend.write(['01', '02', '03'].map((at) => put(at, at)))
      expect(await page('01', 'ff', 2)).toEqual([
        ['01', '01'],
        ['02', '02'],
      ])
      expect(await page('01', '03', 1, true)).toEqual([['02', '02']])
      expect(await page('01', 'ff', 0)).toEqual([])
    })

    test('a page longer than a thousand rows comes whole', async () => {
      const rows = Array.from({ length: 2_500 }, (_, i) => i.toString(16).padStart(4, '0'))
      await backend.write(rows.map((at) => put(at, at)))
      expect(await page('00', 'ff', 2_400)).toEqual(rows.slice(0, 2_400).map((at) => [at, at]))
    })

    test('the size of a range is a number of bytes', async () => {
      await backend.write([put('01', 'x'.repeat(1_000))])
      const bytes = await backend.approximateBytes({ gte: key('00'), lt: key('ff') })
      expect(bytes).toBeGreaterThanOrEqual(0)
    })

    test('it behaves as a sorted map, whatever is written and read', async () => {
      const keys = fc.constantFrom('00', '0001', '01', '02', '02ff', '80', 'fe')
      const write = fc.record({ at: keys, value: fc.option(fc.string(), { nil: undefined }) })
      const read = fc.record({ gte: keys, lt: keys, limit: fc.nat(5), reverse: fc.boolean() })
      const step = fc.record({ batch: fc.array(write, { maxLength: 6 }), read })
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 8 }), async (steps) => {
          await backend.write((await page('00', 'ff')).map(([at]) => del(at)))
          const model = new Map<string, string>()
          for (const { batch, read } of steps) {
            await backend.write(
              batch.map(({ at, value }) => (value === undefined ? del(at) : put(at, value))),
            )
            for (const { at, value } of batch) {
              if (value === undefined) model.delete(at)
              else model.set(at, Buffer.from(value).toString())
            }
            const { gte, lt, limit, reverse } = read
            // Hex of lower case sorts as the bytes do.
            const within = [...model]
              .filter(([at]) => at >= gte && at < lt)
              .toSorted(([a], [b]) => (a < b ? -1 : 1))
            const expected = (reverse ? within.toReversed() : within).slice(0, limit)
            expect(await page(gte, lt, limit, reverse)).toEqual(expected)
            expect(backend.get(key(gte))?.toString()).toBe(model.get(gte))
          }
        }),
        { numRuns: 60 },
      )
    })

    test('closing twice is closing once', async () => {
      await backend.close()
      await expect(backend.close()).resolves.toBeUndefined()
    })
  })
}
