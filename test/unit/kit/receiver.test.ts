/** What a receiver of commands knows of a step: once per epoch, and undo before do. */
import { expect, test } from 'vitest'
import { doKind, noEpochs, stands, type StepEpochs, undoKind } from '../../../streams/kit/index.ts'

const done = (epoch: number): StepEpochs => ({ ...noEpochs, epoch })
const undone = (epoch: number, at = epoch): StepEpochs => ({ epoch, undone: at })

test('I12: a do is decided once per epoch, and answered the same again', () => {
  expect(doKind(noEpochs, 0)).toBe('DECIDE')
  expect(doKind(done(0), 0)).toBe('REPEAT')
})

test('I12: an undo takes back what stands once', () => {
  expect(stands(noEpochs)).toBe(false)
  expect(stands(done(0))).toBe(true)
  expect(undoKind(done(0), 0)).toBe('UNDO')
  expect(stands(undone(0))).toBe(false)
  expect(undoKind(undone(0), 0)).toBe('ALREADY')
})

test('I12: an undo before its do leaves a tombstone, and the do is cancelled', () => {
  expect(undoKind(noEpochs, 0)).toBe('UNDO')
  const tombstone = undone(-1, 0)
  expect(doKind(tombstone, 0)).toBe('CANCELLED')
  expect(undoKind(tombstone, 0)).toBe('ALREADY')
  expect(stands(tombstone)).toBe(false)
})

test('I12: a higher epoch is decided anew: after an undo, after a tombstone, and where an earlier do stands', () => {
  expect(doKind(undone(0), 1)).toBe('DECIDE')
  expect(doKind(undone(-1, 0), 1)).toBe('DECIDE')
  expect(doKind(done(0), 1)).toBe('DECIDE')
})

test('I12: what a later epoch left behind changes nothing any more', () => {
  expect(doKind(done(1), 0)).toBe('CANCELLED')
  expect(undoKind(done(1), 0)).toBe('ALREADY')
})

test('I12: an undo of a later epoch ends what earlier ones did', () => {
  expect(undoKind(done(0), 2)).toBe('UNDO')
  expect(doKind(undone(0, 2), 1)).toBe('CANCELLED')
  expect(doKind(undone(0, 2), 3)).toBe('DECIDE')
})
