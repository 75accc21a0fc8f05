/** Addresses of orders, opened for a batch of a connector. */
import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { keyPort } from '../../../cli/pipeline/privacy/key-port.ts'
import { addressesBy } from '../../../cli/pipeline/privacy/open-sealed.ts'
import { Unavailable } from '../../../connectors/index.ts'
import { MasterKeys, seal, SealingError, type WrappedDataKey } from '../../../schemas/index.ts'
import { TaskNotHere } from '../../../streams/index.ts'
import { ManualClock } from '../../../testing/index.ts'

const masterKeys = MasterKeys.parse('ab'.repeat(32))
const { dataKey, wrapped } = masterKeys.make('ann')
const address = { name: 'Ann', zipcode: '00000' }
const sealedFor = (orderId: string) =>
  seal(dataKey, { kind: 'order.shipTo', userId: 'ann', orderId }, Buffer.from(JSON.stringify(address)))

class Process {
  readonly clock = new ManualClock(0)
  readonly signal = new AbortController()
  /** Of all users. */
  keys: readonly WrappedDataKey[] = []
  isHere = true
  keysKnown = true

  batch(keys: MasterKeys | 'none' = masterKeys) {
    const kept = () => {
      if (!this.isHere) throw new TaskNotHere('privacy_0_0', undefined)
      return { value: { keys: [...this.keys] }, positions: [] }
    }
    const given = keys === 'none' ? undefined : keys
    const pipeline = keyPort({ masterKeys: given, kept, copied: () => undefined, clock: this.clock })
    return addressesBy({ clock: this.clock, pipeline, keysKnown: () => this.keysKnown })(this.signal.signal)
  }

  /** Lets time pass until it is known; answers how long that took. */
  async passed(asked: Promise<unknown>): Promise<number> {
    let open = true
    const end = () => void (open = false)
    asked.then(end, end)
    const from = this.clock.monotonic()
    for (await turn(); open; await turn()) this.clock.advance(100)
    return this.clock.monotonic() - from
  }
}

describe('the address of an order', () => {
  test('opens with a key of its user; one that was never here is nothing', async () => {
    const here = new Process()
    here.keys = [wrapped]
    expect(await here.batch()('o1', 'ann', sealedFor('o1'))).toEqual(address)
    expect(await here.batch()('o1', 'ann', Buffer.alloc(0))).toBeUndefined()
  })

  test('of an erased person is nothing: looked for two seconds, by all of a batch together', async () => {
    const here = new Process()
    const open = here.batch()
    const first = open('o1', 'ann', sealedFor('o1'))
    expect(await here.passed(first)).toBe(2_000)
    expect([await first, await open('o2', 'ann', sealedFor('o2'))]).toEqual([undefined, undefined])
  })

  test('is waited for while its key is on its way, and no longer than the batch', async () => {
    const here = new Process()
    const asked = here.batch()('o1', 'ann', sealedFor('o1'))
    await turn()
    here.keys = [wrapped]
    expect(await here.passed(asked)).toBe(100)
    expect(await asked).toEqual(address)
    here.keys = []
    const ended = here.batch()('o1', 'ann', sealedFor('o1'))
    await turn()
    here.signal.abort(new Error('the batch has ended'))
    await Promise.all([here.passed(ended), expect(ended).rejects.toThrow('the batch has ended')])
  })

  test('is not known where keys are not: it is asked for again', async () => {
    const here = new Process()
    here.isHere = false
    here.keysKnown = false
    await expect(here.batch()('o1', 'ann', sealedFor('o1'))).rejects.toThrow(Unavailable)
    // Those of all other processes are read along, and this is not among them.
    here.keysKnown = true
    const asked = here.batch()('o1', 'ann', sealedFor('o1'))
    await here.passed(asked)
    expect(await asked).toBeUndefined()
  })

  test('is not known without the master key', async () => {
    const here = new Process()
    here.keys = [wrapped]
    for (const keys of ['none', MasterKeys.parse('cd'.repeat(32))] as const) {
      await expect(here.batch(keys)('o1', 'ann', sealedFor('o1'))).rejects.toThrow(Unavailable)
    }
  })

  test('that was sealed for another order does not open', async () => {
    const here = new Process()
    here.keys = [wrapped]
    await expect(here.batch()('o2', 'ann', sealedFor('o1'))).rejects.toThrow(SealingError)
  })
})
