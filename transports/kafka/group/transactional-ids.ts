/**
 * Names of transactional producers: `<application>.<topology>.<slot>.<incarnation>`.
 *
 * A slot is one process's place, over restarts; each start, and each return after a fence, is a new incarnation of it.
 * Application and topology may hold dots, slot and incarnation may not: names are read from their end.
 */

const SLOT = /^[A-Za-z0-9_-]{1,100}$/
const INCARNATION = /^\d{1,15}$/

export interface ProducerName {
  readonly slot: string
  readonly incarnation: number
}

/** Whose producers are meant: those of one topology of one application. */
export interface ProducerFamily {
  readonly application: string
  readonly topology: string
}

/** Throws a `RangeError` for a slot that is no name. */
export function transactionalId(family: ProducerFamily, { slot, incarnation }: ProducerName): string {
  if (!SLOT.test(slot)) throw new RangeError(`not a name for a slot: ${JSON.stringify(slot)}`)
  return `${prefixOf(family)}${slot}.${incarnation}`
}

/** Nothing for the id of any other application, topology, or program. */
export function parseTransactionalId(family: ProducerFamily, id: string): ProducerName | undefined {
  const prefix = prefixOf(family)
  if (!id.startsWith(prefix)) return undefined
  const [slot = '', incarnation = '', ...more] = id.slice(prefix.length).split('.')
  if (more.length > 0 || !SLOT.test(slot) || !INCARNATION.test(incarnation)) return undefined
  return { slot, incarnation: Number(incarnation) }
}

function prefixOf({ application, topology }: ProducerFamily): string {
  return `${application}.${topology}.`
}
