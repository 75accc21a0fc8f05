/** What the saga kit makes of single inputs. Whole lives of sagas: `test/property/saga.test.ts`. */
import { describe, expect, test } from 'vitest'
import {
  advance,
  again,
  backoffMs,
  currentStep,
  done,
  dueAtOf,
  refused,
  saga,
  sagaActionsOf,
  type SagaInput,
  type SagaProgress,
} from '../../../streams/kit/index.ts'

interface Order {
  readonly note: string
}
type Word = 'yes' | 'no' | 'wait'
const read = (order: Order, word: Word) => {
  if (word === 'wait') return again('not there yet')
  return word === 'yes' ? done({ note: `${order.note}+` }) : refused('no')
}
const patience = { timeoutMs: 100, retry: { attempts: 2, backoffMs: 10, jitter: 0 } }

const orders = saga<Order, string>()({
  name: 'order',
  steps: {
    stock: {
      command: (_order, { epoch }) => `reserve#${epoch}`,
      answer: read,
      undo: (_order, { epoch, did }) => `restore#${epoch} ${did}`,
      undone: read,
      patience,
    },
    parcel: {
      command: (_order, { epoch }) => `send#${epoch}`,
      answer: read,
      undo: (_order, { epoch, did }) => (did === 'REFUSED' ? null : `stop#${epoch}`),
      undone: read,
      patience,
    },
  },
  pivot: 'stock',
  deadline: () => 5_000,
  keepMs: 1_000,
})
type Input = SagaInput<Order, typeof orders.steps>

/** Inputs with the times at which they come; what was sent, and how far it is. */
function after(...inputs: readonly (readonly [at: number, input: Input])[]) {
  const sent: string[] = []
  let progress: SagaProgress<Order> | undefined
  let ignored: string | undefined
  for (const [now, input] of [[0, { kind: 'begin', data: { note: '' } }] as const, ...inputs]) {
    const move = advance(orders, 'o1', progress, input, now)
    progress = move.progress
    sent.push(...move.commands)
    const notice = move.notices.at(-1)
    ignored = notice?.kind === 'ignored' ? notice.why : notice?.kind
  }
  return { sent, progress, ignored }
}
const answer = (step: 'stock' | 'parcel', word: Word, epoch?: number): Input => {
  return { kind: 'answer', step, part: '', answer: word, ...(epoch === undefined ? {} : { epoch }) }
}
const undone = (step: 'stock' | 'parcel', word: Word): Input => {
  return { kind: 'undone', step, part: '', answer: word }
}
const operator = (action: 'retry' | 'resume' | 'compensate' | 'resolve'): Input => {
  return { kind: 'operator', action, reason: 'by hand' }
}
const timer: Input = { kind: 'timer' }
/** The parcel was asked for twice and nobody answered. */
const stuck: [number, Input][] = [
  [1, answer('stock', 'yes')],
  [101, timer],
  [111, timer],
  [211, timer],
]

describe('a step', () => {
  test('waits for its answer, asks again after its backoff, and keeps the answer that comes meanwhile', () => {
    expect(after([99, timer])).toMatchObject({ sent: ['reserve#0'], ignored: 'NotNow' })
    const timedOut = after([100, timer])
    expect(timedOut.sent).toEqual(['reserve#0'])
    expect(dueAtOf(orders, timedOut.progress as SagaProgress<Order>)).toBe(110)
    expect(after([100, timer], [105, answer('stock', 'yes')]).sent).toEqual(['reserve#0', 'send#0'])
    expect(after([100, timer], [110, timer]).sent).toEqual(['reserve#0', 'reserve#0'])
  })

  test('that is told to wait asks again, and fails when it has asked as often as it may', () => {
    const waits = [[1, answer('stock', 'wait')] as const, [11, timer] as const]
    expect(after(...waits).sent).toEqual(['reserve#0', 'reserve#0'])
    expect(after(...waits, [12, answer('stock', 'wait')]).progress).toMatchObject({
      phase: 'UNDOING',
      cause: { kind: 'TIMEOUT', step: 'stock', reason: 'not there yet' },
    })
  })

  test('after the pivot goes to an operator, with the step, the cause and what can be done', () => {
    const { progress } = after(...stuck)
    expect(progress).toMatchObject({ phase: 'NEEDS_ATTENTION', trouble: { kind: 'TIMEOUT', step: 'parcel' } })
    expect(sagaActionsOf(progress as SagaProgress<Order>)).toEqual([
      'retry',
      'resume',
      'compensate',
      'resolve',
    ])
    expect(dueAtOf(orders, progress as SagaProgress<Order>)).toBe(Number.POSITIVE_INFINITY)
  })

  test('whose answer comes after all needs no operator any more', () => {
    expect(after(...stuck, [999, answer('parcel', 'yes')]).progress).toMatchObject({
      phase: 'DONE',
      trouble: null,
    })
  })
})

describe('an operator', () => {
  test('who retries raises the epoch; a refusal of the old one is stale, its doing is done', () => {
    const retried = [...stuck, [300, operator('retry')] as [number, Input]]
    expect(after(...retried).sent.at(-1)).toBe('send#1')
    expect(after(...retried, [301, answer('parcel', 'no', 0)])).toMatchObject({ ignored: 'Stale' })
    expect(after(...retried, [301, answer('parcel', 'yes', 0)]).progress).toMatchObject({ phase: 'DONE' })
  })

  test('an undo after a raised epoch trusts no refusal: it may have been of the epoch before', () => {
    const refusedLate: [number, Input][] = [
      ...stuck,
      [300, operator('retry')],
      [301, answer('parcel', 'no')],
      [302, operator('compensate')],
    ]
    expect(after(...refusedLate).sent.at(-1)).toBe('stop#1')
    expect(
      after(...refusedLate, [303, answer('parcel', 'yes')], [304, undone('parcel', 'yes')]).progress,
    ).toMatchObject({ phase: 'UNDOING' })
  })

  test('who resumes takes the step as done', () => {
    expect(after(...stuck, [300, operator('resume')]).progress).toMatchObject({ phase: 'DONE' })
  })

  test('who compensates undoes all, also after the pivot', () => {
    const back = after(...stuck, [300, operator('compensate')], [301, undone('parcel', 'yes')])
    expect(back.sent.slice(-2)).toEqual(['stop#0', 'restore#0 DONE'])
    expect(back.progress).toMatchObject({ phase: 'UNDOING', cause: { kind: 'OPERATOR', step: 'parcel' } })
  })

  test('who resolves ends it as it is', () => {
    expect(after(...stuck, [300, operator('resolve')]).progress).toMatchObject({
      phase: 'DONE',
      endedAt: 300,
    })
    const undo: [number, Input][] = [
      [1, { kind: 'cancel', reason: '' }],
      [2, undone('stock', 'no')],
    ]
    expect(after(...undo).progress).toMatchObject({ phase: 'NEEDS_ATTENTION', direction: 'BACK' })
    expect(after(...undo, [3, operator('compensate')])).toMatchObject({ ignored: 'NotNow' })
    expect(after(...undo, [3, operator('resolve')]).progress).toMatchObject({ phase: 'UNDONE' })
  })

  test('is not needed while it goes by itself', () => {
    expect(after([1, operator('retry')])).toMatchObject({ ignored: 'NotNow', sent: ['reserve#0'] })
  })
})

test('a saga that ended is forgotten after its time, and unknown then', () => {
  const ended: [number, Input][] = [
    [1, answer('stock', 'yes')],
    [2, answer('parcel', 'yes')],
  ]
  expect(after(...ended, [1_001, timer])).toMatchObject({ ignored: 'NotNow' })
  expect(after(...ended, [1_002, timer]).progress).toBeUndefined()
  expect(after(...ended, [1_002, timer], [1_003, answer('parcel', 'yes')])).toMatchObject({
    ignored: 'UnknownSaga',
  })
})

test('a saga that begins past its deadline does nothing', () => {
  const move = advance(orders, 'o1', undefined, { kind: 'begin', data: { note: '' } }, 5_000)
  expect(move.commands).toEqual([])
  expect(move.progress).toMatchObject({ phase: 'UNDONE', cause: { kind: 'DEADLINE' } })
  expect(currentStep(move.progress as SagaProgress<Order>)).toBeUndefined()
})

test('a stored saga whose step the program no longer has throws, and says which', () => {
  const { progress } = after()
  const without = saga<Order, string>()({ ...orders, pivot: 'none', steps: { parcel: orders.steps.parcel } })
  expect(() => advance(without, 'o1', progress, timer as never, 100)).toThrow(
    'saga order has no step stock any more',
  )
})

describe('a declaration', () => {
  const step = { command: () => '', answer: read, patience }
  const declare = (changes: object) => () => {
    saga<Order, string>()({ name: 's', steps: { a: step }, pivot: 'none', keepMs: 1, ...changes } as never)
  }
  test.each([
    ['a pivot that is no step', { pivot: 'b' }],
    ['a time to keep that is none', { keepMs: -1 }],
    ['a step named by a number', { steps: { 1: step } }],
    ['a timeout of 0', { steps: { a: { ...step, patience: { timeoutMs: 0 } } } }],
    [
      'no attempts',
      { steps: { a: { ...step, patience: { timeoutMs: 1, retry: { attempts: 0, backoffMs: 1 } } } } },
    ],
    [
      'a backoff of 0',
      { steps: { a: { ...step, undoPatience: { timeoutMs: 1, retry: { attempts: 1, backoffMs: 0 } } } } },
    ],
    [
      'jitter above 1',
      {
        steps: {
          a: { ...step, patience: { timeoutMs: 1, retry: { attempts: 1, backoffMs: 1, jitter: 2 } } },
        },
      },
    ],
  ])('with %s is refused', (_, changes) => {
    expect(declare(changes)).toThrow(RangeError)
  })
})

test('backoffs double up to their most, less what a hash of saga and attempt takes off', () => {
  const policy = { attempts: 9, backoffMs: 100, maxBackoffMs: 1_000, jitter: 0 }
  expect([1, 2, 3, 4, 5, 50].map((attempt) => backoffMs(policy, attempt, 's'))).toEqual([
    100, 200, 400, 800, 1_000, 1_000,
  ])
  const waits = Array.from({ length: 200 }, (_, i) => backoffMs({ ...policy, jitter: 0.5 }, 1, `s${i}`))
  expect(Math.min(...waits)).toBeGreaterThanOrEqual(50)
  expect(Math.max(...waits)).toBeLessThanOrEqual(100)
  expect(new Set(waits).size).toBeGreaterThan(30)
  expect(backoffMs({ ...policy, jitter: 0.5 }, 1, 's7')).toBe(waits[7])
})
