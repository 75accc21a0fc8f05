import { describe, expect, test } from 'vitest'
import { PartitionDigest } from '../../../cli/pipeline/migration/digest.ts'
import { judgeCoupons } from '../../../cli/pipeline/migration/invariants.ts'
import { translator } from '../../../cli/pipeline/migration/values.ts'
import { createTopics, embeddedSchemas, type SchemaSource, topics } from '../../../schemas/index.ts'
import { NO_HEADERS } from '../../../streams/index.ts'
import { catalog } from '../../../topologies/index.ts'

const record = {
  offset: 7,
  key: Buffer.from('k'),
  value: Buffer.from('v'),
  timestamp: 5,
  lineage: undefined,
  headers: NO_HEADERS,
}
type Sample = Parameters<PartitionDigest['addRecord']>[0]

function digestOf(...records: readonly Sample[]): string {
  const digest = new PartitionDigest()
  for (const one of records) digest.addRecord(one)
  const { count, digest: text } = digest.finish()
  expect(count).toBe(records.length)
  return text
}

describe('the fingerprint of a partition', () => {
  const header = (name: string, text: string) => [name, Buffer.from(text)] as const

  test.each<readonly [what: string, other: Partial<Sample>]>([
    ['the offset', { offset: 8 }],
    ['the key', { key: null }],
    ['an empty value for none', { value: null }],
    ['the value', { value: Buffer.from('w') }],
    ['what is key and what is value', { key: Buffer.from('kv'), value: Buffer.alloc(0) }],
    ['the timestamp', { timestamp: 6 }],
    ['lineage', { lineage: { eventId: 'e' } }],
    ['headers', { headers: [header('a', 'b')] }],
  ])('changes with %s', (_what, other) => {
    expect(digestOf({ ...record, ...other })).not.toBe(digestOf(record))
  })

  test('changes with the order of records, and of headers of one name', () => {
    const other = { ...record, offset: 8 }
    expect(digestOf(record, other)).not.toBe(digestOf(other, record))
    const twice = [header('a', '1'), header('a', '2')]
    expect(digestOf({ ...record, headers: twice })).not.toBe(
      digestOf({ ...record, headers: twice.toReversed() }),
    )
  })

  test('does not change with the order of headers of several names', () => {
    const two = [header('a', '1'), header('b', '2')]
    expect(digestOf({ ...record, headers: two })).toBe(digestOf({ ...record, headers: two.toReversed() }))
  })
})

describe('values for a registry', () => {
  /** The same schemas under other ids. */
  const MORE = 1000
  const source: SchemaSource = {
    idOf: (name) => (embeddedSchemas.idOf(name) ?? 0) + MORE,
    byId: (id) => embeddedSchemas.byId(id - MORE),
  }
  const there = createTopics(source)
  const translate = translator([catalog], [catalog], there)
  const product = topics.productCatalog.value.serialize({
    productId: 'mug',
    title: 'Mug',
    categoryId: null,
    price: 600,
    currency: 'GBP',
  })

  test('have its ids, in dead letters as well, and mean the same', () => {
    for (const name of ['product.catalog', 'product.catalog.dlq']) {
      const moved = translate(name, product) as Buffer
      expect(moved.readInt32BE(1)).toBe(product.readInt32BE(1) + MORE)
      expect(there.productCatalog.value.deserialize(moved)).toEqual(
        topics.productCatalog.value.deserialize(product),
      )
    }
  })

  test('stay as they are where nobody can read them', () => {
    const poison = Buffer.from('poison')
    expect(translate('product.catalog', poison)).toBe(poison)
    expect(translate('product.catalog', null)).toBeNull()
    expect(translate('of.nobody', product)).toBe(product)
  })
})

describe('the sums of coupons', () => {
  test('I1, I6: are complained of where more is issued than there is, or than users have', () => {
    const sums = (quota: number, issued: number, claimed: number) =>
      judgeCoupons(new Map([['spring', { quota, issued, claimed }]]))
    expect(sums(3, 3, 3)).toEqual([])
    expect(sums(2, 3, 3)).toEqual([expect.stringContaining('I1')])
    expect(sums(3, 3, 2)).toEqual([expect.stringContaining('I6')])
    expect(judgeCoupons(new Map([['nobody-knows', { issued: 0, claimed: 0 }]]))).toEqual([])
  })
})
