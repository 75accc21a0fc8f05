/** Who seals with which key, where there is none yet, or several, or they are another process's. */
import { describe, expect, test } from 'vitest'
import type { PrivacyPort, Seal } from '../../../api/index.ts'
import { keyPort } from '../../../cli/pipeline/privacy/key-port.ts'
import { MasterKeys, type PrivacyKey, type PrivacyKeys, sealedWith } from '../../../schemas/index.ts'
import { TaskNotHere } from '../../../streams/index.ts'
import { ManualClock } from '../../../testing/index.ts'

const masterKeys = MasterKeys.parse('ab'.repeat(32))
const place = { kind: 'user.email' } as const

/** What the log and the store have, shared by all processes. */
class World {
  readonly store = new Map<string, PrivacyKeys>()
  readonly appended: PrivacyKey[] = []

  process(options: { readonly owner?: boolean; readonly copies?: boolean } = {}) {
    const { owner = true, copies = false } = options
    const clock = new ManualClock(0)
    const port = keyPort({
      masterKeys,
      kept: (userId) => {
        if (!owner) throw new TaskNotHere('privacy_0_0', undefined)
        return { value: this.store.get(userId), positions: [] }
      },
      copied: (userId) => (copies ? this.store.get(userId)?.keys.at(-1) : undefined),
      clock,
    })
    return { port, clock }
  }

  /** The topology has processed all that was appended. */
  settle(): void {
    for (const { userId, ...wrapped } of this.appended.splice(0)) {
      this.store.set(userId, { keys: [...(this.store.get(userId)?.keys ?? []), wrapped] })
    }
  }

  /** Seals one text; answers the sealed bytes. */
  seal(port: PrivacyPort, append: () => Promise<void> = () => Promise.resolve()): Promise<Buffer> {
    return port.sealed('ann', async (seal: Seal, fresh) => {
      const sealed = seal(place, 'hello')
      await append()
      if (fresh !== undefined) this.appended.push(fresh)
      return sealed
    })
  }
}

describe('a key', () => {
  test('is made once by a process, also by requests that meet', async () => {
    const world = new World()
    const { port } = world.process()
    const both = await Promise.all([world.seal(port), world.seal(port)])
    await world.seal(port)
    expect(world.appended).toHaveLength(1)
    world.settle()
    await world.seal(port)
    expect(world.appended).toEqual([])
    for (const sealed of both) expect(port.opener('ann')(place, sealed)).toBe('hello')
  })

  test('is used by others only once the log has it; of one that it has not another is made', async () => {
    const world = new World()
    const { port } = world.process()
    const refused = world.seal(port, () => Promise.reject(new Error('full')))
    const next = world.seal(port)
    await expect(refused).rejects.toThrow('full')
    const sealed = await next
    expect(world.appended.map(({ keyId }) => keyId)).toEqual([sealedWith(sealed)])
  })

  test('is remembered for a while only, and not beyond an erasure', async () => {
    const world = new World()
    const { port, clock } = world.process()
    const first = await world.seal(port)
    await port.erasing('ann')
    const second = await world.seal(port)
    expect(sealedWith(second)).not.toBe(sealedWith(first))
    clock.advance(5_000)
    expect(sealedWith(await world.seal(port))).not.toBe(sealedWith(second))
  })

  test('is one for each process where two make the first at once, and both open', async () => {
    const world = new World()
    const [here, there] = [world.process().port, world.process({ owner: false }).port]
    const sealed = [await world.seal(here), await world.seal(there)]
    expect(world.appended).toHaveLength(2)
    world.settle()
    for (const one of sealed) expect(here.opener('ann')(place, one)).toBe('hello')
    expect(sealedWith(await world.seal(here))).toBe(sealedWith(sealed[1] as Buffer))
  })

  test('of another process is taken from the copy; without one nothing is said of what it sealed', async () => {
    const world = new World()
    const { port: owner } = world.process()
    const sealed = await world.seal(owner)
    world.settle()
    const { port: reader } = world.process({ owner: false, copies: true })
    expect(reader.opener('ann')(place, sealed)).toBe('hello')
    await world.seal(reader)
    expect(world.appended).toEqual([])
    const { port: blind } = world.process({ owner: false })
    expect(() => blind.opener('ann')).toThrow(TaskNotHere)
  })

  test('that is gone leaves nothing to read, and what was sealed since is read', async () => {
    const world = new World()
    const { port } = world.process()
    const before = await world.seal(port)
    world.settle()
    await port.erasing('ann')
    world.store.delete('ann')
    const after = await world.seal(port)
    world.settle()
    expect([port.opener('ann')(place, before), port.opener('ann')(place, after)]).toEqual([
      undefined,
      'hello',
    ])
  })

  test('of no master key: nothing is sealed and nothing opened', async () => {
    const world = new World()
    const off = keyPort({
      masterKeys: undefined,
      kept: () => ({ value: undefined, positions: [] }),
      copied: () => undefined,
      clock: new ManualClock(0),
    })
    await expect(world.seal(off)).rejects.toMatchObject({ code: 'PERSONAL_DATA_OFF' })
    expect(() => off.opener('ann')).toThrow(expect.objectContaining({ code: 'PERSONAL_DATA_OFF' }))
  })
})
