/** The timeline of an order as the terminal shows it. */
import { expect, test } from 'vitest'
import { described, type OrderTimelineShape } from '../../../cli/commands/order.ts'

const at = Date.UTC(2026, 0, 1)
const timeline: OrderTimelineShape = {
  orderId: 'o1',
  complete: true,
  states: [
    { state: 'PENDING', at },
    { state: 'NEEDS_ATTENTION', at: at + 12_345, note: 'TIMEOUT stock\u001b[2J' },
  ],
  steps: [
    {
      saga: 'ORDER',
      step: 'stock',
      part: 'mug',
      way: 'DO',
      commands: [
        {
          topic: 'stock.reserve.requested',
          attempt: 1,
          epoch: 0,
          sentAt: at,
          position: { topic: 'stock.reserve.requested', partition: 4, offset: 87 },
          answer: {
            status: 'REJECTED',
            reason: 'OUT_OF_STOCK',
            at: at + 38,
            position: { topic: 'stock.reserve.result', partition: 1, offset: 31 },
          },
          durationMs: 38,
        },
        { topic: 'stock.reserve.requested', attempt: 1, epoch: 1, sentAt: at + 50 },
      ],
      answers: [],
    },
    {
      saga: 'RETURN',
      id: 'r1',
      step: 'refund',
      way: 'UNDO',
      commands: [],
      answers: [{ status: 'REFUNDED', at: at + 60 }],
    },
  ],
}

test('has states and steps in line, and nothing that moves the cursor', () => {
  expect(
    described(timeline)
      .split('\n')
      .map((line) => line.trimEnd()),
  ).toEqual([
    'order o1, begun 2026-01-01T00:00:00.000Z',
    '',
    '  state            after    for     note',
    '  PENDING          +0 ms    12.3 s',
    '  NEEDS_ATTENTION  +12.3 s          TIMEOUT stock\\x1b[2J',
    '',
    '  step                   attempt      sent    command                  at    answer                 at    took',
    '  stock mug              1            +0 ms   stock.reserve.requested  4:87  REJECTED OUT_OF_STOCK  1:31  38 ms',
    '  stock mug              1 (epoch 1)  +50 ms  stock.reserve.requested        -',
    '  return r1 undo refund                       ?                              REFUNDED',
  ])
})
