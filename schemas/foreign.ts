/** What no event from outside may be, by whichever door it comes. */

export interface ForeignFault {
  readonly field: 'shipTo' | 'currency'
  readonly message: string
}

/**
 * @param value of one of our topics, decoded
 * @param currency ISO 4217, of the shop; absent: any
 */
export function foreignFault(value: unknown, currency: string | undefined): ForeignFault | undefined {
  const said = value as { readonly currency?: unknown; readonly shipTo?: unknown }
  // Whatever bytes these are, they may be an address in the clear. None at all: who delivers has it already.
  if (said.shipTo !== undefined && said.shipTo !== null && !isEmpty(said.shipTo))
    return { field: 'shipTo', message: 'is not taken here: POST /v1/orders seals it' }
  const isNone = said.currency === undefined || said.currency === null
  if (isNone || currency === undefined || said.currency === currency) return undefined
  return { field: 'currency', message: `must be ${currency}` }
}

function isEmpty(bytes: unknown): boolean {
  return Buffer.isBuffer(bytes) && bytes.length === 0
}
