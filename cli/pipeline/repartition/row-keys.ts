/** Which record's key a row belongs to, for stores whose keys tell it. Pure. */
import { type AnyStoreSpec, timerStoreName } from '../../../state/index.ts'
import {
  campaignStore,
  campaignTermsStore,
  cartStore,
  claimStore,
  commandStore,
  counterStore,
  couponUseStore,
  heldCouponStore,
  privacyKeyStore,
  productStore,
  profileStore,
  requestStore,
  walletStore,
} from '../../../topologies/index.ts'
import { parsePair } from '../../../processors/index.ts'
import { CheckError } from '../../errors.ts'

/** Their keys are, or begin with, the key of the records that they were made from. */
const TELLING: ReadonlySet<string> = new Set([
  ...[campaignStore, claimStore, commandStore, counterStore, requestStore].map(({ name }) => name),
  ...[campaignTermsStore, heldCouponStore, walletStore, couponUseStore].map(({ name }) => name),
  ...[productStore, cartStore, profileStore, privacyKeyStore].map(({ name }) => name),
  'order-sales',
])
/** Timers that are set for such a key, with the processors that set them. */
const TELLING_TIMERS: ReadonlySet<string> = new Set(['issuer/quota', 'sales-deriver/forget'])
/** Those that are set for a pair of ids, the first of which is the record's key. */
const PAIR_TIMERS: ReadonlySet<string> = new Set(
  ['expiry', 'wait', 'use'].map((name) => `wallet-keeper/${name}`),
)
/** Clock, name, zero byte, key. */
const TIMER = /^[sw]([\x21-\x7e]+)\x00(.*)$/s

/** Whether the store's keys tell. Others add up whatever a partition has. */
export function tells(spec: AnyStoreSpec): boolean {
  return TELLING.has(spec.name)
}

/** The record's key. Throws a `CheckError` for a timer that is not set for one. */
export function recordKeyOf(specs: readonly AnyStoreSpec[], store: string, key: Buffer): Buffer {
  const bytes = key.toString('latin1')
  if (store === timerStoreName) return timerKey(bytes)
  const spec = specs.find(({ name }) => name === store)
  const decoded: unknown = spec?.key.decode(bytes)
  const first: unknown = Array.isArray(decoded) ? decoded[0] : decoded
  if (typeof first !== 'string') throw new CheckError(`a key of ${store} is no text`)
  return Buffer.from(first)
}

function timerKey(bytes: string): Buffer {
  const [, name = '', key = ''] = TIMER.exec(bytes) ?? []
  const bytesOfKey = Buffer.from(key, 'latin1')
  if (TELLING_TIMERS.has(name)) return bytesOfKey
  if (PAIR_TIMERS.has(name)) return Buffer.from(parsePair(bytesOfKey.toString())[0])
  throw new CheckError(`a timer ${name} is set for no record's key`)
}
