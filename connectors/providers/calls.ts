/**
 * Makes the calls of a batch and answers each. Calls about one order one after the other, of different orders at once.
 *
 * A call that may have been made has an answer, if only that nothing is known: the gateway asks again. A provider that is
 * away is told to the frame while none of the batch got through to it, so that the log holds what waits; where some did,
 * the others are answered as unknown, so that one of them cannot hold up the rest for ever.
 */
import type { AnyTopic, Clock } from '../../streams/index.ts'
import { type Batch, type Delivered, type Incoming, type Produced, Unavailable } from '../frame/connector.ts'
import type { CallOutcome } from './client.ts'

export interface CallMaker<C, R> {
  /** Where answers go. */
  readonly topic: AnyTopic
  /** Resolves to what is known after the call; rejects where `signal` ended it, or with an `Unavailable`. */
  make(call: C, signal: AbortSignal): Promise<CallOutcome>
  answer(call: C, outcome: CallOutcome): R
}

interface Expiring {
  readonly orderId: string
  /** Epoch milliseconds. */
  readonly expiresAt: number
}

interface Made<C> {
  readonly incoming: Incoming<string, C>
  readonly outcome: CallOutcome
}

export async function makeCalls<C extends Expiring, R>(
  maker: CallMaker<C, R>,
  { records }: Batch,
  clock: Pick<Clock, 'now'>,
  signal: AbortSignal,
): Promise<Delivered> {
  const byOrder = Map.groupBy(records as readonly Incoming<string, C>[], ({ value }) => value.orderId)
  const all = await Promise.all(
    [...byOrder.values()].map((calls) => makeOfOrder(maker, calls, clock, signal)),
  )
  const made = all.flat()
  if (made.length > 0 && made.every(({ outcome }) => outcome.kind === 'away')) throw unavailable(made)
  const at = clock.now()
  const outputs = made.map(({ incoming, outcome }): Produced<string, R> => {
    const { orderId } = incoming.value
    return {
      topic: maker.topic,
      key: orderId,
      value: maker.answer(incoming.value, outcome),
      timestamp: at,
      because: incoming,
    }
  })
  return { outputs }
}

/** One that is worth nothing any more is not made: it is asked for anew. */
async function makeOfOrder<C extends Expiring, R>(
  maker: CallMaker<C, R>,
  calls: readonly Incoming<string, C>[],
  clock: Pick<Clock, 'now'>,
  signal: AbortSignal,
): Promise<Made<C>[]> {
  const made: Made<C>[] = []
  for (const incoming of calls) {
    if (incoming.value.expiresAt <= clock.now()) continue
    made.push({ incoming, outcome: await maker.make(incoming.value, signal) })
  }
  return made
}

function unavailable(made: readonly Made<unknown>[]): Unavailable {
  const waits = made.map(({ outcome }) => (outcome.kind === 'away' ? (outcome.retryAfterMs ?? 0) : 0))
  const codes = new Set(made.map(({ outcome }) => ('code' in outcome ? outcome.code : '')))
  const retryAfterMs = Math.max(...waits)
  return new Unavailable(`the provider is away: ${[...codes].join(', ')}`, {
    ...(retryAfterMs > 0 && { retryAfterMs }),
  })
}
