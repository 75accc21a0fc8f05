/** What a receiver of commands remembers: once each, and undo before do. */
import { expect, test } from 'vitest'
import { onDo, onUndo, performed, type Receipt, undoneReceipt } from '../../../streams/kit/index.ts'

const none: Receipt<string> | undefined = undefined

test('I12: a do is performed once, and answered the same again', () => {
  expect(onDo(none, 0)).toBe('perform')
  expect(onDo(performed('DONE', 0, 'yes'), 0)).toBe('again')
  expect(onDo(performed('REFUSED', 0, 'no'), 0)).toBe('again')
})

test('I12: an undo takes back what was done once, and nothing else', () => {
  expect(onUndo(performed('DONE', 0, 'yes'), 0)).toBe('reverse')
  const back = undoneReceipt(performed('DONE', 0, 'yes'), 0)
  expect(back).toEqual({ status: 'UNDONE', epoch: 0, answer: 'yes' })
  expect(onUndo(back, 0)).toBe('again')
  expect(onUndo(performed('REFUSED', 0, 'no'), 0)).toBe('nothing')
})

test('an undo before its do leaves a tombstone, and the do is cancelled', () => {
  expect(onUndo(none, 0)).toBe('nothing')
  const tombstone = undoneReceipt(none, 0)
  expect(tombstone).toEqual({ status: 'UNDONE', epoch: 0, answer: null })
  expect(onDo(tombstone, 0)).toBe('cancelled')
  expect(onUndo(tombstone, 0)).toBe('nothing')
})

test('a higher epoch is a new command after a refusal or an undo, and none while the effect is there', () => {
  expect(onDo(performed('REFUSED', 0, 'no'), 1)).toBe('perform')
  expect(onDo(undoneReceipt(performed('DONE', 0, 'yes'), 0), 1)).toBe('perform')
  expect(onDo(performed('DONE', 0, 'yes'), 1)).toBe('again')
})

test('an undo of an older epoch does not touch what a later one did', () => {
  const later = performed('DONE', 1, 'yes')
  expect(onUndo(later, 0)).toBe('stale')
  expect(undoneReceipt(later, 0)).toBe(later)
})
