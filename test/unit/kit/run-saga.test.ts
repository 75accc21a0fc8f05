/** When a saga's durable timer is set, moved and called off. */
import { describe, expect, test } from 'vitest'
import { done, runSaga, saga, type SagaInput, type SagaProgress } from '../../../streams/kit/index.ts'

const TIMEOUT_MS = 100
const KEEP_MS = 1_000

function step(timeoutMs: number | null) {
  const retry = { attempts: 2, backoffMs: 10, jitter: 0 }
  return {
    command: (_: string, { attempt }: { readonly attempt: number }) => `do#${attempt}`,
    answer: (data: string) => done(data),
    undo: () => 'undo',
    undone: (data: string) => done(data),
    patience: { timeoutMs, retry },
  }
}

function rigOf(steps: Readonly<Record<string, ReturnType<typeof step>>>, keepMs = KEEP_MS) {
  const definition = saga<string, string>()({ name: 'trip', steps, pivot: 'none', keepMs })
  let progress: SagaProgress<string> | undefined
  let due: number | undefined
  const calls: string[] = []
  const sent: string[] = []
  const timer = {
    dueAt: () => due,
    schedule: (_: string, at: number) => void calls.push(`set ${(due = at)}`),
    cancel: () => {
      due = undefined
      calls.push('cancelled')
    },
  }
  const store = {
    get: () => progress,
    put: (_: string, now: SagaProgress<string>) => void (progress = now),
    delete: () => void (progress = undefined),
  }
  const take = (wallTime: number, input: SagaInput<string, typeof steps>): void => {
    const send = (command: string) => void sent.push(`${command} at ${wallTime}`)
    runSaga(definition, 't1', input, { store, timer, send, wallTime })
  }
  /** As the engine does: the timer is no longer set when its handler runs. */
  const fire = (): void => {
    const at = due ?? Number.NaN
    due = undefined
    take(at, { kind: 'timer' })
  }
  const answer = (wallTime: number, name: string): void =>
    take(wallTime, { kind: 'answer', step: name, part: '', answer: '' })
  return { take, fire, answer, calls, sent, due: () => due }
}

describe('the timer of a saga', () => {
  test('is set at the beginning and moved at the end, however many steps are answered between', () => {
    const { take, answer, calls } = rigOf({ a: step(TIMEOUT_MS), b: step(TIMEOUT_MS), c: step(TIMEOUT_MS) })
    take(0, { kind: 'begin', data: '' })
    answer(10, 'a')
    answer(20, 'b')
    expect(calls).toEqual(['set 100'])
    answer(30, 'c')
    expect(calls).toEqual(['set 100', `set ${30 + KEEP_MS}`])
  })

  test('that comes before anything is due is set for when something is, and the step has all of its time', () => {
    const { take, answer, fire, sent, due } = rigOf({ a: step(TIMEOUT_MS), b: step(TIMEOUT_MS) })
    take(0, { kind: 'begin', data: '' })
    answer(60, 'a')
    fire()
    expect(sent).toEqual(['do#1 at 0', 'do#1 at 60'])
    expect(due()).toBe(160)
    fire()
    fire()
    expect(sent.at(-1)).toBe('do#2 at 170')
  })

  test('is moved at once where something is due earlier than it is set for', () => {
    const { take, answer, due } = rigOf({ a: step(10 * TIMEOUT_MS), b: step(TIMEOUT_MS) })
    take(0, { kind: 'begin', data: '' })
    answer(10, 'a')
    expect(due()).toBe(110)
  })

  test('is called off where nothing is due, and not again', () => {
    const { take, answer, calls } = rigOf({ a: step(TIMEOUT_MS), b: step(null) }, Number.POSITIVE_INFINITY)
    take(0, { kind: 'begin', data: '' })
    answer(10, 'a')
    answer(20, 'b')
    expect(calls).toEqual(['set 100', 'cancelled'])
  })
})
