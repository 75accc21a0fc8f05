import { describe, expect, test } from 'vitest'
import { decidePayment, decideRefund } from '../../../processors/sandboxes/decide-payment.ts'
import { approveAll, deliverAll } from '../../../processors/sandboxes/rules.ts'
import { deliveryOfTestUsers, paymentOfTestUsers } from '../../../processors/sandboxes/test-users.ts'
import { payment, refund } from './given.ts'

const paying = (userId: string) => {
  const request = { kind: 'PAYMENT', orderId: 'o1', attempt: 0, refundId: '', amount: 1_000 } as const
  return paymentOfTestUsers({ ...request, userId })
}
const sending = (customerId: string) => deliveryOfTestUsers({ orderId: 'o1', customerId, attempt: 0 })

describe('what stands after the last + of a userId', () => {
  test.each([
    ['ann+declined', { approve: false }],
    ['ann+late', { delayMs: 4_000 }],
    ['ann+unheard', { answers: 0 }],
    ['ann+wrong', { charged: 1_001 }],
    ['ann+x+twice', { answers: 2 }],
  ])('%s is what becomes of the payment', (userId, changes) => {
    expect(paying(userId)).toEqual({ ...paying('ann'), ...changes })
    expect(paying(userId)).not.toEqual(paying('ann'))
  })

  test.each([
    ['ann+slow', { startMs: 4_000 }],
    ['ann+refused', { ends: 'REFUSED' }],
    ['ann+gone', { ends: 'LOST' }],
    ['ann+twice', { answers: 2 }],
  ])('%s is what becomes of the delivery', (customerId, changes) => {
    expect(sending(customerId)).toEqual({ ...sending('ann'), ...changes })
  })

  test.each(['ann', 'late-ann', 'ann+', 'ann+constructor'])('%s says nothing', (userId) => {
    const request = { kind: 'PAYMENT', orderId: 'o1', userId, attempt: 0, refundId: '', amount: 1 } as const
    expect(paying(userId)).toEqual(approveAll(request))
    expect(sending(userId)).toEqual(deliverAll({ orderId: 'o1', customerId: userId, attempt: 0 }))
  })
})

test('I20: of a wrong amount as much can be paid back as was charged', () => {
  const { payment: charged } = decidePayment(paymentOfTestUsers, undefined, payment({ userId: 'ann+wrong' }))
  expect(charged.amount).toBe(1_001)
  const back = (amount: number) => decideRefund(paymentOfTestUsers, charged, undefined, refund(amount)).refund
  expect(back(1_001).reason).toBeNull()
  expect(back(1_002).reason).toBe('EXCEEDS_PAID')
})
