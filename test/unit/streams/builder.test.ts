import { describe as group, expect, test } from 'vitest'
import { keys, keyValueStore, serdes } from '../../../state/index.ts'
import { describe, processor, shape, toJson, toMermaid, topicsOf, topology } from '../../../streams/index.ts'
import { stringTopic } from '../../support/topics.ts'

const orders = stringTopic('orders')
const totals = stringTopic('totals', { cleanup: 'compact' })
const store = (name = 'totals') => keyValueStore({ name, key: keys.string, value: serdes.json<number>() })

group('a topology', () => {
  const totalStore = store()
  const shop = topology('shop', (t) => {
    const lines = t.stream(orders).filter((value) => value !== '', { name: 'not-empty' })
    lines
      .selectKey((value) => value, { name: 'by-value' })
      .repartition({ name: 'by-value', key: serdes.string, value: serdes.string })
      .count(totalStore)
      .mapValues(String, { name: 'as-text' })
      .to(totals)
  })

  test('is split where a topic lies between', () => {
    expect(shop.subTopologies.map((sub) => sub.sources.map((source) => source.topic.name))).toEqual([
      ['orders'],
      ['shop-by-value-repartition'],
    ])
    expect(shop.subTopologies[1]?.stores).toEqual([totalStore])
  })

  test('prints itself as Kafka Streams does', () => {
    expect(describe(shop)).toBe(`Topologies:
   Sub-topology: 0
    Source: orders-source (topics: [orders])
      --> not-empty
    Processor: not-empty (stores: [])
      --> by-value
      <-- orders-source
    Processor: by-value (stores: [])
      --> shop-by-value-repartition-sink
      <-- not-empty
    Sink: shop-by-value-repartition-sink (topic: shop-by-value-repartition)
      <-- by-value

   Sub-topology: 1
    Source: shop-by-value-repartition-source (topics: [shop-by-value-repartition])
      --> totals-aggregate
    Processor: totals-aggregate (stores: [totals])
      --> as-text
      <-- shop-by-value-repartition-source
    Processor: as-text (stores: [])
      --> totals-sink
      <-- totals-aggregate
    Sink: totals-sink (topic: totals)
      <-- as-text
`)
  })

  test('names every topic it needs, with its role', () => {
    expect(topicsOf(shop).map(({ name, role }) => [name, role])).toEqual([
      ['orders', 'source'],
      ['shop-by-value-repartition', 'internal'],
      ['totals', 'sink'],
      ['orders.dlq', 'dead-letter'],
      ['shop-by-value-repartition.dlq', 'dead-letter'],
    ])
  })

  test('is frozen', () => {
    expect(Object.isFrozen(shop)).toBe(true)
    expect(Object.isFrozen(shop.subTopologies[0]?.nodes)).toBe(true)
  })

  test('draws itself and comes as JSON', () => {
    expect(toMermaid([shop])).toContain('topic__orders>"orders"] --> shop__not_empty')
    expect(toJson(shop).subTopologies[1]?.nodes[1]).toEqual({
      kind: 'processor',
      name: 'totals-aggregate',
      parents: ['shop-by-value-repartition-source'],
      topics: [],
      stores: ['totals'],
    })
  })

  test('joins what shares a store', () => {
    const shared = store('shared')
    const touch = (name: string) =>
      processor({ name, input: shape<string, string>(), stores: { shared }, process: () => {} })
    const one = topology('one', (t) => {
      t.stream(orders).process(touch('a'))
      t.stream(totals).process(touch('b'))
    })
    expect(one.subTopologies).toHaveLength(1)
  })
})

group('a faulty topology is refused:', () => {
  const refused = (build: Parameters<typeof topology>[1]) => {
    try {
      topology('faulty', build)
    } catch (error) {
      return error as Error & { code: string }
    }
    throw new Error('it was accepted')
  }

  test('one that reads nothing', () => {
    expect(refused(() => {})).toMatchObject({ code: 'TOPOLOGY_INVALID' })
  })

  test('two nodes of one name', () => {
    const error = refused((t) => {
      const stream = t.stream(orders).filter(() => true, { name: 'same' })
      stream.filter(() => true, { name: 'same' })
    })
    expect(error.message).toContain('two nodes are called same')
  })

  test('a topic read twice', () => {
    const error = refused((t) => {
      t.stream(orders)
      t.stream(orders)
    })
    expect(error.message).toContain('topic orders is read twice')
  })

  test('two stores of one name', () => {
    const error = refused((t) => {
      t.stream(orders).count(store('same'))
      t.stream(totals).count(store('same'))
    })
    expect(error.message).toContain('two stores are called same')
  })

  test('a store behind a changed key', () => {
    const error = refused(
      (t) =>
        void t
          .stream(orders)
          .selectKey((value) => value)
          .count(store()),
    )
    expect(error.message).toContain('put .repartition(')
  })

  test('a reserved topic, and dead letters written by hand', () => {
    const error = refused((t) => {
      const stream = t.stream(orders)
      stream.to(stringTopic('__consumer_offsets'))
      stream.to(stringTopic('orders.dlq'))
    })
    expect(error.message).toContain('__consumer_offsets: such names are reserved')
    expect(error.message).toContain('orders.dlq: use context.deadLetter()')
  })

  test('a timer that nobody handles', () => {
    const silent = processor({
      name: 'silent',
      input: shape<string, string>(),
      timers: { tick: 'wall' },
      process: () => {},
    })
    expect(refused((t) => void t.stream(orders).process(silent)).message).toContain('no onTimer.tick')
  })

  test('a name that no topic, file or metric may have', () => {
    expect(refused((t) => void t.stream(orders).filter(() => true, { name: 'a b' })).message).toContain('a b')
    expect(() => topology('../up', (t) => void t.stream(orders))).toThrow('topology name')
  })

  test('streams of another topology', () => {
    let foreign: Parameters<Parameters<typeof topology>[1]>[0] | undefined
    topology('other', (t) => {
      t.stream(orders)
      foreign = t
    })
    const error = refused((t) => {
      const merged = t.stream(totals).merge(foreign!.stream(stringTopic('x')))
      merged.to(orders)
    })
    expect(error.message).toContain('another topology')
  })
})
