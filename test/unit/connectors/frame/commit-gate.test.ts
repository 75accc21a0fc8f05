/** The gate that commits of a connector go through. */
import { expect, test } from 'vitest'
import { CommitGate } from '../../../../connectors/frame/commit-gate.ts'

const never = new AbortController().signal

async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve()
}

test('a commit that waited begins while the gate is open, or not at all', async () => {
  const gate = new CommitGate()
  let begun = 0
  const commit = (): Promise<void> => {
    begun++
    return Promise.resolve()
  }
  const waiting = gate.run(never, commit)
  await turns()
  gate.open()
  const shut = gate.shut()
  await shut
  await turns()
  expect(begun).toBe(0)
  gate.open()
  await waiting
  expect(begun).toBe(1)
})

test('an open gate lets a commit begin in the same turn: nobody who shuts it then misses it', async () => {
  const gate = new CommitGate()
  gate.open()
  let finish = (): void => {}
  const steps: string[] = []
  const commit = gate.run(never, () => {
    steps.push('begun')
    return new Promise<void>((resolve) => (finish = resolve))
  })
  const shut = gate.shut().then(() => steps.push('shut'))
  await turns()
  expect(steps).toEqual(['begun'])
  finish()
  await Promise.all([commit, shut])
  expect(steps).toEqual(['begun', 'shut'])
})

test('shutting waits for a commit that fails, too, and rejects with nothing of it', async () => {
  const gate = new CommitGate()
  gate.open()
  const commit = gate.run(never, () => Promise.reject(new Error('fenced')))
  await Promise.all([expect(commit).rejects.toThrow('fenced'), gate.shut()])
})

test('a task that leaves waits at the gate no longer', async () => {
  const gate = new CommitGate()
  const leaving = new AbortController()
  const waiting = gate.run(leaving.signal, () => Promise.reject(new Error('it began')))
  leaving.abort(new Error('the task left'))
  await expect(waiting).rejects.toThrow('the task left')
})
