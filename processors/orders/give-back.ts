/**
 * What goes back besides an order's own undo: a return, or a payment that is not the order's (late, of a wrong amount,
 * of an unknown order). A saga that only goes forward: goods, points, money.
 */
import type { GiveBackData, PaymentRefundResult, RestoreResult } from '../../schemas/index.ts'
import { again, done, type Reading, refused, saga, type SagaInput } from '../../streams/kit/index.ts'
import type { OrderRules } from './order-saga.ts'
import type { OrderOutput } from './outputs.ts'

export type GiveBackInput = SagaInput<GiveBackData, ReturnType<typeof giveBackSaga>['steps']>

export function giveBackSaga({ keepMs, patience }: OrderRules) {
  return saga<GiveBackData, OrderOutput>()({
    name: 'give-back',
    pivot: 'start',
    keepMs,
    steps: {
      stock: {
        parts: ({ lines }) => lines.map(({ lineNo }) => String(lineNo)),
        command: ({ orderId, lines, id: returnId, reason }, { part, epoch }) => {
          const line = lines.find(({ lineNo }) => String(lineNo) === part)
          if (line === undefined) return null
          const { lineNo, productId, quantity } = line
          const value = { orderId, productId, lines: [{ lineNo, quantity }], returnId, reason, epoch }
          return { topic: 'stockRestoreRequested', value }
        },
        answer: (data, answer: RestoreResult) => restored(data, answer),
        patience,
      },
      /** Also claws back what the lines' money earned, so it is asked wherever money goes back. */
      points: {
        parts: ({ kind, points, money }) => (kind === 'RETURN' && points + money > 0 ? [''] : []),
        command: ({ orderId, userId, points: amount, money: refundAmount, id: returnId }, { epoch }) => {
          return {
            topic: 'pointRestoreRequested',
            value: { orderId, userId, amount, returnId, refundAmount, epoch },
          }
        },
        answer: (data, answer: RestoreResult) => {
          return restored({ ...data, shortfall: Math.max(answer.shortfall, 0) }, answer)
        },
        patience,
      },
      refund: {
        parts: (data) => (refundAmount(data) > 0 && data.paymentKey !== null ? [''] : []),
        command: (data) => {
          const { orderId, paymentKey } = data
          const value = {
            refundId: refundId(data),
            orderId,
            paymentKey: paymentKey ?? '',
            amount: refundAmount(data),
          }
          return { topic: 'paymentRefundRequested', value }
        },
        answer: (data, { status, reason }: PaymentRefundResult) => {
          if (status === 'REFUNDED') return done(data)
          return status === 'UNKNOWN' ? again('UNKNOWN') : refused(reason ?? status)
        },
        patience,
      },
    },
  })
}

/** The money that goes back: less the earned points that the customer no longer has. */
export function refundAmount({ money, shortfall }: Pick<GiveBackData, 'money' | 'shortfall'>): number {
  return Math.max(0, money - shortfall)
}

/** A refund is paid out once per id. */
export function refundId({ orderId, kind, id }: Pick<GiveBackData, 'orderId' | 'kind' | 'id'>): string {
  return `${orderId}|${kind === 'RETURN' ? 'return' : 'stray'}|${id}`
}

function restored(data: GiveBackData, { status, reason }: RestoreResult): Reading<GiveBackData> {
  if (status === 'RESTORED' || status === 'ALREADY') return done(data)
  return status === 'UNKNOWN' ? again('UNKNOWN') : refused(reason ?? status)
}
