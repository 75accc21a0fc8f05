import { beforeEach, describe, expect, test } from 'vitest'
import { Bench } from './bench.ts'

let bench: Bench

beforeEach(() => {
  bench = new Bench()
})

describe('timers', () => {
  test('one that is set while timers are being loaded is not missed', async () => {
    const timer = bench.state.timer('wall', 'expire')
    timer.schedule('a', 1)
    timer.schedule('b', 2)
    timer.schedule('c', 3)
    await bench.commit()
    bench.restart()
    const loading = bench.state.loadTimers('wall')
    bench.state.timer('wall', 'expire').schedule('early', 0)
    bench.state.timer('wall', 'expire').cancel('a')
    await loading
    expect(bench.state.popDueTimer('wall', 9)).toMatchObject({ key: 'early' })
    expect(bench.state.popDueTimer('wall', 9)).toMatchObject({ key: 'b' })
  })

  test('no more than twice the horizon is held, however many are set', async () => {
    await bench.state.loadTimers('wall')
    const timer = bench.state.timer('wall', 'expire')
    for (let at = 100; at > 0; at--) timer.schedule(`t${at}`, at)
    const fired: number[] = []
    while (fired.length < 100) {
      if (bench.state.needsTimerLoad('wall', 100)) await bench.state.loadTimers('wall')
      fired.push(bench.state.popDueTimer('wall', 100)?.at ?? -1)
    }
    expect(fired).toEqual(Array.from({ length: 100 }, (_, i) => i + 1))
    expect(bench.state.popDueTimer('wall', 100)).toBeUndefined()
  })

  test('before the first load, something is to be done at once', () => {
    expect(bench.state.nextTimerAt('stream')).toBe(0)
    expect(bench.state.needsTimerLoad('stream', -1)).toBe(false)
    expect(bench.state.needsTimerLoad('stream', 0)).toBe(true)
  })

  test.each([-1, 0.5, Number.NaN, Infinity])('a time of %d is refused', (at) => {
    expect(() => bench.state.timer('wall', 'expire').schedule('a', at)).toThrow(RangeError)
  })

  test.each(['', 'with blank', 'nul\0', 'ü'])('the name %j is refused', (name) => {
    expect(() => bench.state.timer('wall', name)).toThrow(RangeError)
  })
})
