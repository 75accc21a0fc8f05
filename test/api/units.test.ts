/** The small parts, where HTTP would only be in the way. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Cursors } from '../../api/cursor.ts'
import { idFromKey } from '../../api/ids.ts'
import { uuid7Ids } from '../../api/index.ts'
import { hostnameOf } from '../../api/loopback.ts'
import { RateLimit } from '../../api/rate-limit.ts'
import { formatTicket, parseTicket } from '../../api/ticket.ts'

describe('cursors', () => {
  it('open to what was sealed, and only with the same list and secret', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { maxLength: 3 }), fc.string({ unit: 'grapheme' }), (list, after) => {
        const cursors = new Cursors(Buffer.alloc(16, 1))
        const cursor = cursors.seal(list, after)
        expect(cursors.open(list, cursor)).toBe(Buffer.from(after).toString())
        expect(() => cursors.open([...list, 'x'], cursor)).toThrow(/INVALID_CURSOR/)
        expect(() => new Cursors(Buffer.alloc(16, 2)).open(list, cursor)).toThrow(/INVALID_CURSOR/)
      }),
    )
  })
})

describe('ids', () => {
  it('a fresh one is a UUIDv7 of its time, and no two are the same', () => {
    const ids = uuid7Ids(
      () => 0x0197_a5d0_7c1e,
      (pool) => crypto.getRandomValues(pool),
    )
    const made = Array.from({ length: 2_000 }, () => ids.next())
    for (const id of made) expect(id).toMatch(/^0197a5d0-7c1e-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(new Set(made).size).toBe(2_000)
  })

  it('one from a key has not changed since it was first given', () => {
    expect(idFromKey('web', 'order 17')).toBe('838d2d89-e3f7-860f-914e-8bba1374faa0')
  })

  it('principal and key do not run into each other', () => {
    expect(idFromKey('a', 'b"c')).not.toBe(idFromKey('a"b', 'c'))
    expect(idFromKey('ab', 'c')).not.toBe(idFromKey('a', 'bc'))
  })
})

describe('rate limit', () => {
  const limit = (clients = 10) => {
    const clock = { now: 0 }
    return { clock, rate: new RateLimit({ perSecond: 10, burst: 2, clients, monotonic: () => clock.now }) }
  }

  it('gives the burst, then one every tenth of a second', () => {
    const { clock, rate } = limit()
    expect([rate.take('a'), rate.take('a'), rate.take('a')]).toEqual([0, 0, 100])
    clock.now = 50
    expect(rate.take('a')).toBeCloseTo(50)
    clock.now = 100
    expect([rate.take('a'), rate.take('b')]).toEqual([0, 0])
  })

  it('a bucket never holds more than the burst', () => {
    const { clock, rate } = limit()
    rate.take('a')
    clock.now = 1_000_000
    expect([rate.take('a'), rate.take('a'), rate.take('a')]).toEqual([0, 0, 100])
  })

  it('remembers so many clients, those seen last', () => {
    const { rate } = limit(3)
    const drain = (client: string) => [rate.take(client), rate.take(client)]
    for (const client of ['a', 'b', 'c']) drain(client)
    expect(rate.take('a')).toBeGreaterThan(0)
    drain('d')
    expect(rate.clients).toBe(3)
    // b was unseen for longest.
    expect([rate.take('a') > 0, rate.take('c') > 0, rate.take('b') > 0]).toEqual([true, true, false])
  })
})

it('a ticket says what it was made of', () => {
  expect(parseTicket(formatTicket({ partition: 3, offset: 41 }))).toEqual({ partition: 3, offset: 41 })
})

it.each([
  ['localhost:80', 'localhost'],
  ['localhost', 'localhost'],
  ['[::1]:80', '[::1]'],
  ['[::1]', '[::1]'],
  ['evil:80:80', 'evil:80'],
])('the host of %s is %s', (header, host) => {
  expect(hostnameOf(header)).toBe(host)
})
