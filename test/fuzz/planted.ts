/** Shows that the fuzzer finds what there is to find. */
import type { Target } from './guided.ts'

/** A parser with a fault behind four bytes, each of which must be right: only who sees how far inputs get finds it. */
function plantedFault(input: Buffer): number {
  if (input[0] !== 0x4d) return 0
  if (input[1] !== 0x72) return 1
  if (input[2] !== 0x21) return 2
  if (input[3] !== 0x7a) return 3
  throw new Error('found')
}

export const planted = (): Target => ({
  name: 'planted',
  covers: /\/planted\.ts/,
  seeds: [Buffer.alloc(4)],
  run: plantedFault,
})

/** The same without coverage. */
export const blind = (): Target => ({ ...planted(), name: 'blind', covers: /^nothing$/ })
