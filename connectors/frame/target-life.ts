/** Opens and closes the target of a task. */
import type { Clock, Log } from '../../streams/index.ts'
import type { DeliveryBreaker } from './breaker.ts'
import type { Connector, DeliveryPolicy, Target } from './connector.ts'
import type { DeliverySignals } from './delivery.ts'
import { asError, DeliveryTimeout, isUnavailable } from './failures.ts'
import type { ConnectorHooks } from './hooks.ts'
import { type Latch, settled, started } from './waiting.ts'

/** How long a target may take to close. */
const CLOSE_WITHIN_MS = 5_000

export interface TargetLifeParts {
  readonly connector: Connector
  readonly log: Pick<Log, 'topicId'>
  readonly clock: Clock
  readonly hooks: ConnectorHooks
  readonly policy: DeliveryPolicy
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
  parts: TargetLifeParts,
  partition: number,
  { dropped, stopping }: DeliverySignals,
): Promise<Target> {
  const { connector, breaker, log } = parts
  await mayOpen(parts, stopping)
  try {
    stopping.throwIfAborted()
    const partitions = connector.inputs.map(({ name: topic }) => ({ topic, partition }))
    const topicId = (topic: string): string => log.topicId(topic)
    const target = await inTime(parts, dropped, (signal) => connector.open({ partitions, topicId, signal }))
    breaker.opened()
    return target
  } catch (error) {
    if (isUnavailable(error) || error instanceof DeliveryTimeout) breaker.unavailable('open')
    else breaker.givenUp()
    dropped.throwIfAborted()
    stopping.throwIfAborted()
    throw new OpenFailure(error)
  }
}

/** Ends once it may be tried, or when the signal fires. */
async function mayOpen({ going, breaker }: TargetLifeParts, stopping: AbortSignal): Promise<void> {
  for (;;) {
    await going.passed(stopping)
    await breaker.permit(stopping)
    // It may have been paused while it waited.
    if (going.isOpen || stopping.aborted) return
    breaker.givenUp()
  }
}

/** A target that comes later than a delivery may take, or when its task has left, is closed again. */
async function inTime(
  parts: TargetLifeParts,
  dropped: AbortSignal,
  open: (signal: AbortSignal) => Promise<Target>,
): Promise<Target> {
  const { clock, policy } = parts
  const late = new AbortController()
  const cancel = clock.after(policy.timeoutMs, () => late.abort(new DeliveryTimeout(policy.timeoutMs)))
  const given = AbortSignal.any([dropped, late.signal])
  const opening = started(() => open(given))
  const isOpen = await settled(opening, given)
  cancel()
  if (isOpen) return opening
  void opening.then(
    (target) => closeTarget(parts, target),
    () => undefined,
  )
  throw given.reason
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
