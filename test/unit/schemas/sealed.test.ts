import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import {
  MasterKeys,
  seal,
  SEALED_OVERHEAD_BYTES,
  type SealedPlace,
  sealedWith,
  sealingErrors,
  SealingError,
  UnknownMasterKey,
  unseal,
} from '../../../schemas/index.ts'

const masterKeys = MasterKeys.parse(randomBytes(32).toString('base64'))
const { dataKey, wrapped } = masterKeys.make('ann')
const place: SealedPlace = { kind: 'order.shipTo', userId: 'ann', orderId: 'o1' }
const text = Buffer.from('{"name":"Ann Secret"}')

const codeOf = (act: () => unknown): string | undefined => {
  try {
    act()
  } catch (error) {
    if (error instanceof SealingError) return error.code
    throw error
  }
  return undefined
}

describe('a sealed value', () => {
  it('opens where it was sealed for, and shows nothing but its length', () => {
    const sealed = seal(dataKey, place, text)
    expect(sealed.length).toBe(text.length + SEALED_OVERHEAD_BYTES)
    expect(sealed.includes('Secret')).toBe(false)
    expect(sealedWith(sealed)).toBe(dataKey.keyId)
    expect(unseal(dataKey, place, sealed)).toEqual(text)
  })

  it('is another one each time', () => {
    expect(seal(dataKey, place, text).equals(seal(dataKey, place, text))).toBe(false)
  })

  it('may be empty', () => {
    expect(unseal(dataKey, place, seal(dataKey, place, Buffer.alloc(0)))).toEqual(Buffer.alloc(0))
  })

  it.each<[string, SealedPlace]>([
    ['another order', { ...place, orderId: 'o2' }],
    ['no order', { kind: 'order.shipTo', userId: 'ann' }],
    ['another user', { ...place, userId: 'bob' }],
    ['another field', { ...place, kind: 'user.email' }],
  ])('moved to %s does not open', (_name, other) => {
    expect(codeOf(() => unseal(dataKey, other, seal(dataKey, place, text)))).toBe('not-authentic')
  })

  it('does not open with another key, also under the same id', () => {
    const other = masterKeys.make('ann').dataKey
    const sealed = seal(dataKey, place, text)
    expect(codeOf(() => unseal(other, place, sealed))).toBe('not-authentic')
    expect(codeOf(() => unseal({ ...other, keyId: dataKey.keyId }, place, sealed))).toBe('not-authentic')
  })

  it('of which any bit was changed does not open', () => {
    const sealed = seal(dataKey, place, text)
    for (let at = 0; at < sealed.length; at += 1) {
      const changed = Buffer.from(sealed)
      changed[at] = (changed[at] as number) ^ 1
      expect(codeOf(() => unseal(dataKey, place, changed))).toBe(
        at === 0 ? 'unknown-format' : 'not-authentic',
      )
    }
  })

  it('that is cut short is none', () => {
    const sealed = seal(dataKey, place, text)
    for (let length = 0; length < sealed.length; length += 1) {
      const code = codeOf(() => unseal(dataKey, place, sealed.subarray(0, length)))
      expect(code).toBe(length < SEALED_OVERHEAD_BYTES ? 'unknown-format' : 'not-authentic')
    }
  })

  it('does not open without saying why', () => {
    for (const text of Object.values(sealingErrors)) expect(text).not.toBe('')
  })
})

describe('a data key', () => {
  it('comes back from its wrapping, for its user', () => {
    expect(masterKeys.unwrap('ann', wrapped)).toEqual(dataKey)
    expect(wrapped.key.includes(dataKey.key)).toBe(false)
    expect(codeOf(() => masterKeys.unwrap('bob', wrapped))).toBe('not-authentic')
    expect(codeOf(() => masterKeys.unwrap('ann', { ...wrapped, keyId: '00'.repeat(8) }))).toBe(
      'not-authentic',
    )
  })

  it('outlives a change of the master key as long as the old one is named', () => {
    const [old, fresh] = ['1a', '2b'].map((byte) => byte.repeat(32))
    const before = MasterKeys.parse(`${old}`).make('ann')
    const both = MasterKeys.parse(`${fresh},${old}`)
    expect(both.unwrap('ann', before.wrapped)).toEqual(before.dataKey)
    const after = both.make('ann')
    expect(MasterKeys.parse(`${fresh}`).unwrap('ann', after.wrapped)).toEqual(after.dataKey)
    expect(() => MasterKeys.parse(`${fresh}`).unwrap('ann', before.wrapped)).toThrow(UnknownMasterKey)
  })

  it('has a master key of 32 bytes, in base64 or hexadecimal; a refusal does not repeat it', () => {
    const key = Buffer.alloc(32, 0xab)
    const one = MasterKeys.parse(key.toString('hex')).make('ann').wrapped
    expect(MasterKeys.parse(key.toString('base64')).unwrap('ann', one).keyId).toBe(one.keyId)
    for (const wrong of ['', 'hunter2hunter2', `${key.toString('hex')},`, key.toString('base64url')]) {
      expect(() => MasterKeys.parse(wrong)).toThrow(/^a master key is 32 bytes, in base64 or hexadecimal$/)
    }
  })
})
