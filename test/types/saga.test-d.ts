/** A wrong step, answer or command of a saga must not compile. */
import { expectTypeOf, test } from 'vitest'
import { advance, done, refused, saga, type SagaInput, type SagaProgress } from '../../streams/kit/index.ts'

interface Order {
  readonly paid: boolean
}
type Command = 'reserve' | 'pay'
const patience = { timeoutMs: 1 }

const orders = saga<Order, Command>()({
  name: 'orders',
  pivot: 'money',
  keepMs: 1,
  steps: {
    goods: {
      command: (order) => {
        expectTypeOf(order).toEqualTypeOf<Order>()
        return 'reserve'
      },
      answer: (order, answer: { readonly held: boolean }) => (answer.held ? done(order) : refused('none')),
      patience,
    },
    money: { command: () => 'pay', answer: (_order, paid: boolean) => done({ paid }), patience },
  },
})
type Input = SagaInput<Order, typeof orders.steps>
declare const progress: SagaProgress<Order>

test('each step takes its own answers', () => {
  expectTypeOf<{ kind: 'answer'; step: 'money'; part: ''; answer: true }>().toExtend<Input>()
  expectTypeOf<{ kind: 'answer'; step: 'money'; part: ''; answer: { held: true } }>().not.toExtend<Input>()
  expectTypeOf<{ kind: 'answer'; step: 'goods'; part: ''; answer: { held: true } }>().toExtend<Input>()
  expectTypeOf<{ kind: 'answer'; step: 'parcel'; part: ''; answer: true }>().not.toExtend<Input>()
  expectTypeOf(advance(orders, 'o1', progress, { kind: 'timer' }, 0).commands).toEqualTypeOf<
    readonly Command[]
  >()
  // @ts-expect-error an input of no step
  advance(orders, 'o1', progress, { kind: 'answer', step: 'parcel', part: '', answer: true }, 0)
})

test('commands are those of the saga, the pivot is one of its steps', () => {
  const { money } = orders.steps
  const declare = saga<Order, Command>()
  const rest = { name: 's', keepMs: 1 } as const
  const stealing = { ...money, command: () => 'steal' as const }
  const counting = { ...money, answer: () => done(7) }
  // @ts-expect-error no such command
  declare({ ...rest, pivot: 'none', steps: { money: stealing } })
  // @ts-expect-error no such step
  declare({ ...rest, pivot: 'goods', steps: { money } })
  // @ts-expect-error an answer that makes something else of the order
  declare({ ...rest, pivot: 'none', steps: { money: counting } })
})
