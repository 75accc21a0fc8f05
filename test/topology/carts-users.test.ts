import { describe, expect, test } from 'vitest'
import { type CartItem, topics, type UserProfile } from '../../schemas/index.ts'
import { carts, cartStore, profileStore, users } from '../../topologies/index.ts'
import { modes, Service } from '../support/services.ts'

const { cartChanged, userProfile } = topics
const tea: CartItem = { productId: 'tea', quantity: 2 }
const sealed: UserProfile = { userId: 'ann', email: Buffer.from([1, 2]), locale: null }

describe.each(modes)('carts, %s', (_, mode) => {
  const itemsOf = (service: Service, userId = 'ann') =>
    service.driver
      .store(carts, cartStore)
      .get(userId)
      .value?.items.map(({ productId, quantity }) => `${productId} ${quantity}`)

  test('are what they were last told to be, and none when they are empty', async () => {
    const service = await Service.open(carts, { partitions: 2, ...mode })
    await service.send(cartChanged, { userId: 'ann', items: [tea] }, { userId: 'bob', items: [tea] })
    await service.send(cartChanged, { userId: 'ann', items: [tea, { productId: 'mug', quantity: 1 }] })
    expect([itemsOf(service), itemsOf(service, 'bob')]).toEqual([['tea 2', 'mug 1'], ['tea 2']])
    await service.send(cartChanged, { userId: 'ann', items: [] })
    expect(itemsOf(service)).toBeUndefined()
    await service.close()
  })

  const products = (count: number) =>
    Array.from({ length: count }, (_each, i): CartItem => ({ productId: `p${i}`, quantity: 1 }))

  test.each<[string, CartItem[], string]>([
    ['with a product twice', [tea, tea], 'InvalidLine'],
    ['with nothing of a product', [{ ...tea, quantity: 0 }], 'InvalidLine'],
    ['with a product without a name', [{ ...tea, productId: '' }], 'InvalidId'],
    ['with too many products', products(201), 'InvalidLine'],
  ])('%s are dead letters and leave what is there', async (_name, items, reason) => {
    const service = await Service.open(carts, mode)
    await service.send(cartChanged, { userId: 'ann', items: products(200) }, { userId: 'ann', items })
    expect(itemsOf(service)).toHaveLength(200)
    expect(service.deadLetters(cartChanged as never)[0]).toMatch(`${reason}: `)
    await service.close()
  })
})

describe.each(modes)('users, %s', (_, mode) => {
  test('are kept sealed, until they are removed', async () => {
    const service = await Service.open(users, { partitions: 2, ...mode })
    await service.send(userProfile, { ...sealed, email: null }, sealed)
    const stored = () => service.driver.store(users, profileStore).get('ann').value
    expect({ ...stored() }).toEqual(sealed)
    await service.driver.pipe(userProfile, 'ann', null)
    expect(stored()).toBeUndefined()
    await service.close()
  })

  test('under another key are dead letters', async () => {
    const service = await Service.open(users, mode)
    await service.driver.pipe(userProfile, 'bob', sealed)
    await service.driver.pipe(userProfile, '', null)
    expect(service.deadLetters(userProfile as never).map((text) => text.split(':')[0])).toEqual([
      'KeyMismatch',
      'InvalidId',
    ])
    await service.close()
  })
})
