import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type ProductCatalog, topics } from '../../schemas/index.ts'
import { TopologyTestDriver } from '../../testing/index.ts'
import { catalog, productStore } from '../../topologies/index.ts'
import { modes } from './coupon-driver.ts'

const mug: ProductCatalog = {
  productId: 'mug',
  title: 'Mug',
  categoryId: 'home',
  price: 900,
  currency: 'EUR',
}

describe.each(modes)('%s', (_, mode) => {
  let driver: TopologyTestDriver
  const product = (productId: string) => driver.store(catalog, productStore).get(productId).value
  const describeAs = (changes: Partial<ProductCatalog>, key = 'mug') =>
    driver.pipe(topics.productCatalog, key, { ...mug, ...changes })

  beforeEach(async () => {
    driver = await TopologyTestDriver.open({ topologies: [catalog], partitions: 2, ...mode })
  })
  afterEach(() => driver.close())

  test('a product is what it was last described as', async () => {
    await describeAs({})
    await describeAs({ productId: 'cup' }, 'cup')
    await describeAs({ price: 800, categoryId: null })
    expect({ ...product('mug') }).toEqual({ ...mug, price: 800, categoryId: null })
    expect(product('cup')?.price).toBe(900)
  })

  test('a null value removes a product', async () => {
    await describeAs({})
    await driver.pipe(topics.productCatalog, 'mug', null)
    expect(product('mug')).toBeUndefined()
  })

  test.each<[string, Partial<ProductCatalog>, string]>([
    ['under another key', { productId: 'cup' }, 'mug'],
    ['with a negative price', { price: -1 }, 'mug'],
    ['without an id', { productId: '' }, ''],
    ['with a long id', { productId: 'x'.repeat(201) }, 'x'.repeat(201)],
  ])('a product %s is a dead letter and leaves what is there', async (_name, changes, key) => {
    await describeAs({})
    await describeAs(changes, key)
    expect(driver.deadLetters(topics.productCatalog)).toHaveLength(1)
    expect({ ...product('mug') }).toEqual(mug)
  })

  test('a product without a key, or that is no Avro, is a dead letter', async () => {
    await driver.pipe(topics.productCatalog, null, mug)
    await driver.pipeBytes(topics.productCatalog.name, Buffer.from('mug'), Buffer.from('mug'))
    expect(driver.deadLetters(topics.productCatalog)).toHaveLength(2)
    expect(product('mug')).toBeUndefined()
  })
})
