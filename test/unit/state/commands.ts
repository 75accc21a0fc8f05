/** Random lives of a task's state: what can be asked of it, in any order that an engine could ask. */
import fc from 'fast-check'
import type { Clock, Row } from './model.ts'

export type Command =
  | { readonly kind: 'put'; readonly key: string; readonly row: Row }
  | { readonly kind: 'delete'; readonly key: string }
  | { readonly kind: 'get'; readonly key: string }
  | {
      readonly kind: 'scan'
      readonly from: string | undefined
      readonly to: string | undefined
      readonly limit: number
      readonly reverse: boolean
    }
  | { readonly kind: 'top'; readonly group: string; readonly limit: number }
  | {
      readonly kind: 'window-put'
      readonly window: string
      readonly start: number
      readonly key: string
      readonly value: number
    }
  | { readonly kind: 'window-delete'; readonly window: string; readonly start: number; readonly key: string }
  | { readonly kind: 'window-read'; readonly window: string; readonly start: number; readonly limit: number }
  | { readonly kind: 'window-clear'; readonly window: string; readonly start: number; readonly limit: number }
  | {
      readonly kind: 'schedule'
      readonly clock: Clock
      readonly name: string
      readonly key: string
      readonly at: number
    }
  | { readonly kind: 'cancel'; readonly clock: Clock; readonly name: string; readonly key: string }
  | { readonly kind: 'fire'; readonly clock: Clock; readonly now: number; readonly limit: number }
  | { readonly kind: 'mark' | 'rollback' | 'seal' | 'commit' | 'commit-unanswered' }
  | { readonly kind: 'commit-while-scanning'; readonly readBefore: boolean }
  | { readonly kind: 'discard' | 'view' | 'reopen' }

const keys = fc.constantFrom('', '\0', 'a', 'a\0', 'a\0\0b', 'ab', 'b', 'é', '\uffff', '😀')
const groups = fc.constantFrom('', 'g', 'g\0', '\0', 'ü')
const windows = fc.constantFrom('day', 'day\0', 'hour')
const starts = fc.constantFrom(-1, 0, 86_400_000)
const clocks = fc.constantFrom<Clock>('stream', 'wall')
const names = fc.constantFrom('expire', 'expire-soon', 'shop/remind')
const limits = fc.integer({ min: 0, max: 6 })
const times = fc.nat(20)
const bound = fc.option(keys, { nil: undefined })
const row = fc.record({ n: fc.integer({ min: -3, max: 4 }), group: groups }, { noNullPrototype: true })

const of = <K extends Command['kind'], T>(kind: K, parts: { [P in keyof T]: fc.Arbitrary<T[P]> }) =>
  fc.record(
    { kind: fc.constant(kind), ...parts },
    { noNullPrototype: true },
  ) as unknown as fc.Arbitrary<Command>

export const commands: fc.Arbitrary<Command[]> = fc.array(
  fc.oneof(
    { weight: 10, arbitrary: of('put', { key: keys, row }) },
    { weight: 4, arbitrary: of('delete', { key: keys }) },
    { weight: 4, arbitrary: of('get', { key: keys }) },
    { weight: 5, arbitrary: of('scan', { from: bound, to: bound, limit: limits, reverse: fc.boolean() }) },
    { weight: 6, arbitrary: of('top', { group: groups, limit: limits }) },
    {
      weight: 4,
      arbitrary: of('window-put', {
        window: windows,
        start: starts,
        key: keys,
        value: fc.integer({ min: -2, max: 2 }),
      }),
    },
    { weight: 1, arbitrary: of('window-delete', { window: windows, start: starts, key: keys }) },
    { weight: 3, arbitrary: of('window-read', { window: windows, start: starts, limit: limits }) },
    { weight: 1, arbitrary: of('window-clear', { window: windows, start: starts, limit: limits }) },
    { weight: 9, arbitrary: of('schedule', { clock: clocks, name: names, key: keys, at: times }) },
    { weight: 3, arbitrary: of('cancel', { clock: clocks, name: names, key: keys }) },
    { weight: 6, arbitrary: of('fire', { clock: clocks, now: times, limit: limits }) },
    { weight: 6, arbitrary: of('mark', {}) },
    { weight: 4, arbitrary: of('rollback', {}) },
    { weight: 5, arbitrary: of('seal', {}) },
    { weight: 5, arbitrary: of('commit', {}) },
    { weight: 2, arbitrary: of('commit-while-scanning', { readBefore: fc.boolean() }) },
    { weight: 1, arbitrary: of('commit-unanswered', {}) },
    { weight: 1, arbitrary: of('discard', {}) },
    { weight: 2, arbitrary: of('view', {}) },
    { weight: 1, arbitrary: of('reopen', {}) },
  ),
  { maxLength: 150, size: 'max' },
)
