/** Kinds of orders that a load is mixed of, and their shares. */
import { UsageError } from '../../errors.ts'

/** Each kind with its usual weight, and what it is for. */
export const KINDS = {
  good: { weight: 46, what: 'is paid and completed' },
  points: { weight: 8, what: 'spends points' },
  coupon: { weight: 10, what: 'uses a coupon of a moment ago, and points' },
  twice: { weight: 3, what: 'hears every answer twice' },
  return: { weight: 10, what: 'comes back in parts' },
  cancel: { weight: 8, what: 'is called off: at once, when it waits, when it is sent or done' },
  'no-stock': { weight: 4, what: 'wants more than there is' },
  'no-points': { weight: 3, what: 'wants to spend points that are not there' },
  'wrong-coupon': { weight: 1, what: "uses somebody else's coupon" },
  declined: { weight: 3, what: 'is not paid' },
  unheard: { weight: 1, what: 'is paid, and nobody hears of it' },
  late: { weight: 1, what: 'is paid when its time is over' },
  'wrong-amount': { weight: 1, what: 'is paid another amount, and called off' },
  'no-delivery': { weight: 1, what: 'is refused by the courier' },
} as const

export type Kind = keyof typeof KINDS
/** Shares are weights: only how they are to each other counts. */
export type Mix = Readonly<Partial<Record<Kind, number>>>

export const kinds = Object.keys(KINDS) as readonly Kind[]

export const usualMix: Mix = Object.freeze(
  Object.fromEntries(kinds.map((kind) => [kind, KINDS[kind].weight])),
)

/** `good=90,late=10`: those only. Throws a `UsageError` for a kind that there is not, or a weight that is none. */
export function parseMix(text: string): Mix {
  const mix: Partial<Record<Kind, number>> = {}
  for (const part of text.split(',')) {
    const [name = '', weight = ''] = part.split('=').map((word) => word.trim())
    const kind = kinds.find((one) => one === name)
    if (kind === undefined) throw new UsageError(`--mix: there is no ${name}; there are ${kinds.join(', ')}`)
    if (!/^\d{1,9}$/.test(weight))
      throw new UsageError(`--mix: ${name} needs a whole number, like ${name}=10`)
    mix[kind] = Number(weight)
  }
  if (Object.values(mix).some((weight) => weight > 0)) return mix
  throw new UsageError('--mix: all weights are 0')
}

/** The kind at a place from 0 up to, not including, 1. */
export function kindAt(mix: Mix, place: number): Kind {
  const shares = Object.entries(mix) as [Kind, number][]
  let left = place * shares.reduce((sum, [, weight]) => sum + weight, 0)
  for (const [kind, weight] of shares) {
    if (left < weight) return kind
    left -= weight
  }
  return (shares.at(-1) as [Kind, number])[0]
}
