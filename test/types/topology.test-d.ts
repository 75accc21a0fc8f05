/** A wrong key, value or store type must not compile. */
import { expectTypeOf, test } from 'vitest'
import { keys, keyValueStore, serdes, type KeyValueStore, windowStore } from '../../state/index.ts'
import { processor, shape, type Stream, type Topic, topology } from '../../streams/index.ts'

interface Order {
  readonly id: string
  readonly total: number
}

declare const orders: Topic<string, Order>
declare const texts: Topic<string, string>
declare const byNumber: Topic<number, string>

const totals = keyValueStore({ name: 'totals', key: keys.string, value: serdes.json<number>() })
const ranked = keyValueStore({
  name: 'ranked',
  key: keys.string,
  value: serdes.json<Order>(),
  indexes: { byTotal: { group: () => 'all', score: (_key, value) => value.total } },
})
const sales = windowStore({
  name: 'sales',
  key: keys.string,
  value: serdes.json<number>(),
  retentionMs: 1,
})

const total = processor({
  name: 'total',
  input: shape<string, Order>(),
  stores: { totals, ranked, sales },
  outputs: { sums: shape<string, number>(), big: shape<string, Order>() },
  timers: { close: 'wall' },
  process(record, { stores, emit, timers }) {
    expectTypeOf(record.key).toEqualTypeOf<string>()
    expectTypeOf(record.value).toEqualTypeOf<Order>()
    expectTypeOf(stores.totals.get('a')).toEqualTypeOf<number | undefined>()
    expectTypeOf(stores.totals).toEqualTypeOf<KeyValueStore<string, number>>()
    expectTypeOf(stores.sales.get('day', 0, 'a')).toEqualTypeOf<number | undefined>()
    expectTypeOf(emit.sums).parameter(1).toEqualTypeOf<number>()
    // @ts-expect-error a store takes its own key type
    stores.totals.get(1)
    // @ts-expect-error and its own value type
    stores.totals.put('a', 'text')
    // @ts-expect-error only declared indexes
    stores.ranked.index('byName')
    stores.ranked.index('byTotal')
    // @ts-expect-error an output takes its own value type
    emit.sums('a', record.value)
    // @ts-expect-error only declared outputs
    emit.other('a', 1)
    // @ts-expect-error only declared timers
    timers.open.schedule('a', 1)
    timers.close.schedule('a', 1)
  },
  onTimer: {
    close(key, { emit }, at) {
      expectTypeOf(key).toEqualTypeOf<string>()
      expectTypeOf(at).toEqualTypeOf<number>()
      emit.sums(key, 1)
    },
  },
})

test('streams carry key and value types through every operator', () => {
  topology('types', (t) => {
    const stream = t.stream(orders)
    expectTypeOf(stream).toEqualTypeOf<Stream<string, Order>>()
    expectTypeOf(t.stream(orders, { onNullValue: 'pass' })).toEqualTypeOf<Stream<string, Order | null>>()
    expectTypeOf(stream.mapValues((order) => order.total)).toEqualTypeOf<Stream<string, number>>()
    expectTypeOf(stream.map((key, order) => [order.total, key])).toEqualTypeOf<Stream<number, string>>()
    expectTypeOf(stream.selectKey((order) => order.total)).toEqualTypeOf<Stream<number, Order>>()
    expectTypeOf(stream.split({ big: (order) => order.total > 1 }).rest).toEqualTypeOf<
      Stream<string, Order>
    >()
    expectTypeOf(stream.process(total).sums).toEqualTypeOf<Stream<string, number>>()
    expectTypeOf(stream.count(totals)).toEqualTypeOf<Stream<string, number>>()
    expectTypeOf(
      t.table(texts, { store: keyValueStore({ name: 'x', key: keys.string, value: serdes.string }) }).changes,
    ).toEqualTypeOf<Stream<string, string | null>>()
  })
})

test('what does not fit does not compile', () => {
  topology('wrong', (t) => {
    const stream = t.stream(orders)
    // @ts-expect-error the value type of the topic is another
    stream.to(texts)
    // @ts-expect-error the key type of the topic is another
    stream.mapValues((order) => order.id).to(byNumber)
    stream.mapValues((order) => order.id).to(texts)
    // @ts-expect-error the processor reads orders, not texts
    t.stream(texts).process(total)
    // @ts-expect-error the processor has no such output
    void stream.process(total).other
    // @ts-expect-error a store of numbers does not hold orders
    t.table(orders, { store: totals })
    // @ts-expect-error streams of different values do not merge
    stream.merge(t.stream(texts))
    // @ts-expect-error a predicate gets the stream's value
    stream.filter((order) => order.missing)
    // @ts-expect-error a timer follows one of two clocks
    processor({ name: 'p', input: shape<string, string>(), timers: { a: 'moon' }, process: () => {} })
  })
})
