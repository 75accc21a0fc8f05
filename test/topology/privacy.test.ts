import { describe, expect, test } from 'vitest'
import { MasterKeys, type PrivacyKey, topics } from '../../schemas/index.ts'
import { privacy, privacyKeyStore } from '../../topologies/index.ts'
import { modes, Service, START } from '../support/services.ts'

const { privacyKey } = topics
const masterKeys = MasterKeys.parse('ab'.repeat(32))
const make = (userId: string): PrivacyKey => {
  return { userId, ...masterKeys.make(userId).wrapped, createdAt: START }
}

describe.each(modes)('data keys, %s', (_, mode) => {
  const idsOf = (service: Service, userId = 'ann') =>
    service.driver
      .store(privacy, privacyKeyStore)
      .get(userId)
      .value?.keys.map(({ keyId }) => keyId)

  test('are kept as they came, all of those that two processes made at once', async () => {
    const service = await Service.open(privacy, { partitions: 2, ...mode })
    const [first, second, other] = [make('ann'), make('ann'), make('bob')]
    await service.send(privacyKey, first, other, second, first)
    expect([idsOf(service), idsOf(service, 'bob')]).toEqual([[second.keyId, first.keyId], [other.keyId]])
    const kept = service.driver.store(privacy, privacyKeyStore).get('ann').value?.keys ?? []
    for (const key of kept) expect(masterKeys.unwrap('ann', key).keyId).toBe(key.keyId)
    await service.close()
  })

  test('go with the person, and a later one is a new one', async () => {
    const service = await Service.open(privacy, { partitions: 2, ...mode })
    const [before, later, other] = [make('ann'), make('ann'), make('bob')]
    await service.send(privacyKey, before, other)
    await service.driver.pipe(privacyKey, 'ann', null)
    expect([idsOf(service), idsOf(service, 'bob')]).toEqual([undefined, [other.keyId]])
    await service.send(privacyKey, later)
    expect(idsOf(service)).toEqual([later.keyId])
    await service.close()
  })

  test('under another user than their own are dead letters', async () => {
    const service = await Service.open(privacy, mode)
    await service.driver.pipe(privacyKey, 'bob', make('ann'))
    await service.driver.pipe(privacyKey, '', null)
    expect(service.deadLetters(privacyKey as never).map((text) => text.split(':')[0])).toEqual([
      'KeyMismatch',
      'InvalidId',
    ])
    expect(idsOf(service, 'bob')).toBeUndefined()
    await service.close()
  })
})
