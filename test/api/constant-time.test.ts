/** What is compared with a secret, and how: time must not tell how much of a guess was right. */
import * as crypto from 'node:crypto'
import { expect, test, vi } from 'vitest'
import { Access } from '../../api/access.ts'
import { TOKENS } from './support.ts'

vi.mock('node:crypto', async (original) => {
  const real = await original<typeof crypto>()
  return { ...real, timingSafeEqual: vi.fn<typeof real.timingSafeEqual>(real.timingSafeEqual) }
})

const compared = vi.mocked(crypto.timingSafeEqual)
const access = new Access(TOKENS)
const [first, last] = [TOKENS[0]?.secret ?? '', TOKENS.at(-1)?.secret ?? '']

test.each([
  ['the first token', first],
  ['the last token', last],
  ['nearly a token', `${first}x`],
  ['something else', 'x'],
])('%s is compared with every token, by digests of one length', (_what, secret) => {
  compared.mockClear()
  try {
    access.identify(`Bearer ${secret}`)
  } catch (error) {
    expect(error).toMatchObject({ code: 'UNAUTHENTICATED' })
  }
  const lengths = compared.mock.calls.map(([one, other]) => [one.byteLength, other.byteLength])
  expect(lengths).toEqual(TOKENS.map(() => [32, 32]))
})
