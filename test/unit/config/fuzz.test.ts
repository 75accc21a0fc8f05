import { expect, test } from 'vitest'
import { fuzzConfig } from '../../fuzz/config.ts'

const FILES = 500

test(`${FILES} configurations that nobody meant are loaded, or refused with the names of their fields`, () => {
  const { loaded, refused } = fuzzConfig(13, FILES)
  expect(loaded).toBeGreaterThan(FILES / 100)
  expect(refused).toBeGreaterThan(FILES / 2)
})
