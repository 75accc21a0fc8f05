/** Opens and closes the target of a task. */
import type { Clock, Log } from '../../streams/index.ts'
import type { DeliveryBreaker } from './breaker.ts'
import type { Connector, Target } from './connector.ts'
import type { DeliverySignals } from './delivery.ts'
import { asError, isUnavailable } from './failures.ts'
import type { ConnectorHooks } from './hooks.ts'
import { type Latch, settled } from './waiting.ts'

/** How long a target may take to close. */
const CLOSE_WITHIN_MS = 5_000

export interface TargetLifeParts {
  readonly connector: Connector
  readonly log: Pick<Log, 'topicId'>
  readonly clock: Clock
  readonly hooks: ConnectorHooks
  readonly breaker: DeliveryBreaker
  /** Shut while an operator has paused the connector. */
  readonly going: Latch
}

/** What `Connector.open` threw: tried again, whatever it is. */
export class OpenFailure extends Error {
  override readonly name = 'OpenFailure'

  constructor(cause: unknown) {
    super('the target cannot be opened', { cause })
  }
}

/** Once it may be tried. Throws an `OpenFailure`, and the reason of a signal. */
export async function openTarget(
  { connector, going, breaker, log }: TargetLifeParts,
  partition: number,
  { dropped, stopping }: DeliverySignals,
): Promise<Target> {
  await going.passed(stopping)
  await breaker.permit(stopping)
  stopping.throwIfAborted()
  try {
    const partitions = connector.inputs.map(({ name: topic }) => ({ topic, partition }))
    const topicId = (topic: string): string => log.topicId(topic)
    const target = await connector.open({ partitions, topicId, signal: dropped })
    // Many open without a word to anybody: only a delivery is an answer.
    breaker.givenUp()
    return target
  } catch (error) {
    if (isUnavailable(error)) breaker.unavailable()
    else breaker.givenUp()
    throw new OpenFailure(error)
  }
}

/** Never rejects; one that takes too long is left alone. */
export async function closeTarget(
  { clock, connector, hooks }: TargetLifeParts,
  target: Target,
): Promise<void> {
  const late = new AbortController()
  const cancel = clock.after(CLOSE_WITHIN_MS, () => late.abort())
  const closing = Promise.resolve()
    .then(() => target.close())
    .catch((error: unknown) => hooks.onFailure(connector.name, 'failed', asError(error), true))
  await settled(closing, late.signal)
  cancel()
}
