/** Opens what is sealed for users, for connectors that need it in the clear: mails, couriers, topics of shops. */
import type { PrivacyPort } from '../../../api/index.ts'
import { type OpenAddress, Unavailable } from '../../../connectors/index.ts'
import { type SealedPlace, SealingError } from '../../../schemas/index.ts'
import { type Clock, isStreamsError } from '../../../streams/index.ts'

/** The running shop, for whoever opens. */
export interface KeyedShop {
  readonly clock: Pick<Clock, 'monotonic' | 'after'>
  /** Questions are answered with `TASK_NOT_HERE` until it is there. */
  readonly pipeline: Pick<PrivacyPort, 'opener'>
  /** Whether the keys of all users whose tasks run elsewhere are read along, as far as they were there at the start. */
  readonly keysKnown: () => boolean
}

/** How long the key of a user may be on its way from another process, and the time between looks. */
const KEY_WAIT_MS = 2_000
const KEY_LOOK_MS = 100

/**
 * Nothing where the user has no key that opens it, as far as it is known here: the key is on its way, or the person was
 * erased. Throws an `Unavailable` where that is not known here now, or the master key is not configured here; a
 * `SealingError` for what no key opens.
 */
export function openSealed(
  { pipeline, keysKnown }: Pick<KeyedShop, 'pipeline' | 'keysKnown'>,
  { userId, ...place }: SealedPlace,
  sealed: Buffer,
): string | undefined {
  try {
    return pipeline.opener(userId)(place, sealed)
  } catch (cause) {
    if (cause instanceof SealingError) throw cause
    // Another process has the user, and no copy of a key is there any more: the person was erased.
    if (isStreamsError(cause, 'TASK_NOT_HERE') && keysKnown()) return undefined
    throw new Unavailable('what is sealed cannot be opened here now', { cause })
  }
}

/**
 * Looks again for what is not there, as a key that is on its way will be soon; two seconds in all for whatever one
 * `KeyWait` looks for, so that a batch of erased people takes no longer than one.
 */
export class KeyWait {
  readonly #clock: KeyedShop['clock']
  readonly #signal: AbortSignal
  #until: number | undefined

  constructor(clock: KeyedShop['clock'], signal: AbortSignal) {
    this.#clock = clock
    this.#signal = signal
  }

  /** Rejects with what `look` throws, or the signal's reason. */
  async for<T>(look: () => T | undefined): Promise<T | undefined> {
    for (;;) {
      const found = look()
      if (found !== undefined) return found
      const now = this.#clock.monotonic()
      this.#until ??= now + KEY_WAIT_MS
      if (now >= this.#until) return undefined
      await new Promise<void>((resolve) => void this.#clock.after(KEY_LOOK_MS, resolve))
      this.#signal.throwIfAborted()
    }
  }
}

/** Of a batch: opens the addresses of orders. Nothing of an order whose address was never here, or was erased. */
export function addressesBy(shop: KeyedShop): (signal: AbortSignal) => OpenAddress {
  return (signal) => {
    const wait = new KeyWait(shop.clock, signal)
    return async (orderId, userId, sealed) => {
      if (sealed.length === 0) return undefined
      const place = { kind: 'order.shipTo', userId, orderId } as const
      const text = await wait.for(() => openSealed(shop, place, sealed))
      return text === undefined ? undefined : (JSON.parse(text) as unknown)
    }
  }
}
