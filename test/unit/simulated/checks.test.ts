import { describe, expect, test } from 'vitest'
import { judgeOutputs } from '../../../testing/simulator/checks.ts'
import type { SimulatedWorld } from '../../../transports/simulated/index.ts'

/** A world of one topic, whose records have these ids. */
function worldOf(...ids: readonly string[]): SimulatedWorld {
  const records = ids.map((id) => ({ headers: [['eventId', Buffer.from(id)]] }))
  return { records: () => records } as unknown as SimulatedWorld
}

describe('what is there twice', () => {
  test('is an output that was written twice', () => {
    expect(judgeOutputs(worldOf('a', 'b', 'a'), ['t'], new Set())).toEqual(['duplicate: t a'])
  })

  test('is no record that a client sent again to a topic that has outputs too', () => {
    expect(judgeOutputs(worldOf('a', 'b', 'a'), ['t'], new Set(['a']))).toEqual([])
  })
})
