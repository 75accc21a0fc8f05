/** How the reference provider may misbehave, by command. */

/** One question that it was asked. */
export interface Ask {
  readonly kind: 'charge' | 'lookup' | 'refund' | 'ship' | 'look' | 'cancel'
  readonly orderId: string
  readonly idempotencyKey: string
  /** Counts the questions of this kind about this key, from 1. */
  readonly nth: number
}

/** What becomes of the answer; `…-before` comes in place of what was asked for, `…-after` when it was done. */
export const faults = [
  'none',
  'silent-before',
  'silent-after',
  'slow-after',
  'drop-before',
  'drop-after',
  'error-before',
  'error-after',
  'garbage-after',
  'busy',
  'away',
] as const
export type Fault = (typeof faults)[number]

/** What it decides where it does what was asked for. */
export interface Fate {
  /** A stable code, in place of success. */
  readonly refuse?: string
  /** Minor units more than asked for. */
  readonly surcharge?: number
  /** It says PENDING (a shipment: ACCEPTED), and the outcome only by webhook or when asked again. */
  readonly pending?: boolean
}

/** How the news of something go out. */
export const manners = ['none', 'once', 'twice', 'late', 'reordered', 'forged', 'replayed'] as const
export type Manner = (typeof manners)[number]

export interface Behaviour {
  readonly fault: (ask: Ask) => Fault
  readonly fate: (ask: Ask) => Fate
  readonly manner: (orderId: string) => Manner
}

export const wellBehaved: Behaviour = { fault: () => 'none', fate: () => ({}), manner: () => 'none' }
