import { expect, test, vi } from 'vitest'
import * as crc from '../../../transports/kafka/batches/crc32c.ts'
import { selfTest } from '../../../transports/kafka/self-test.ts'

vi.mock('../../../transports/kafka/batches/crc32c.ts', { spy: true })

test('this client is sound', () => {
  expect(() => selfTest()).not.toThrow()
})

test('a checksum that is always the same is noticed', () => {
  vi.mocked(crc.crc32c).mockReturnValue(0)
  expect(() => selfTest()).toThrow(expect.objectContaining({ code: 'CLIENT_UNSOUND' }))
})
