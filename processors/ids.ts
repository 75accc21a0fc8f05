/**
 * What every command must satisfy before a rule looks at it. A command that does not goes to the dead letters: there is
 * nobody to answer, or nothing that could be stored under its name.
 */

/** UTF-16 units of an id at most; keys of stores are made of two of them. */
export const MAX_ID_CHARS = 200

/** Why a record goes to the dead letters. The message names fields and lengths, never contents. */
export interface Fault {
  readonly reason: 'KeyMismatch' | 'InvalidId' | 'InvalidPrice' | 'InvalidLine' | 'InvalidAmount' | 'TooOld'
  readonly message: string
}

/** The fault of a record whose key must be the id in its value; nothing when there is none. */
export function keyFault(key: string, name: string, id: string): Fault | undefined {
  if (key !== id) return { reason: 'KeyMismatch', message: `the key is not the value's ${name}` }
  return idFault(name, id)
}

export function idFault(name: string, id: string): Fault | undefined {
  if (id.length > 0 && id.length <= MAX_ID_CHARS) return undefined
  const message = `${name} has ${id.length} characters, not 1 to ${MAX_ID_CHARS}`
  return { reason: 'InvalidId', message }
}
