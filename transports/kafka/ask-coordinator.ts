/**
 * One request to the coordinator of a group or transactional id, repeated for as long as it says that it was not carried
 * out yet.
 *
 * Not its job: what a final answer means; whether a request without answer may be repeated, which only its sender knows.
 */
import type { Clock } from '../../streams/index.ts'
import { ClusterError, isClusterError } from './errors.ts'
import type { Brokers } from './producer-batches.ts'
import { mayPass } from './produce-outcome.ts'
import {
  CONCURRENT_TRANSACTIONS,
  COORDINATOR_LOAD_IN_PROGRESS,
  needsCoordinator,
  NOT_COORDINATOR,
} from './protocol/errors.ts'
import type { CoordinatorOf } from './protocol/groups.ts'
import type { KafkaRequest } from './protocol/request.ts'

/** The last transaction's markers are written within a few milliseconds. */
const FIRST_PAUSE_MS = 5
const LONGEST_PAUSE_MS = 200

export interface CoordinatorPlaces {
  readonly clock: Clock
  /** Node id; asked once, until forgotten. */
  coordinator(kind: CoordinatorOf, key: string): Promise<number>
  forgetCoordinator(kind: CoordinatorOf, key: string): void
}

export interface Question<R> {
  readonly kind: CoordinatorOf
  readonly key: string
  readonly request: KafkaRequest<R>
  /** The answer's error code; where it has several, the one that counts. */
  readonly codeOf: (answer: R) => number
  /** Milliseconds of the monotonic clock after which nothing is sent any more. */
  readonly deadline: number
  /** It may be carried out any number of times, also late. */
  readonly isHarmless: boolean
}

/** `isDoubtful`: the request may have been carried out, or may yet be, although the last answer does not say so. */
export type Asked<R> =
  | { readonly outcome: 'answered'; readonly answer: R; readonly code: number; readonly isDoubtful: boolean }
  | { readonly outcome: 'unanswered'; readonly error: Error; readonly isDoubtful: boolean }

export async function askCoordinator<R>(
  places: CoordinatorPlaces,
  brokers: Brokers,
  question: Question<R>,
): Promise<Asked<R>> {
  const { kind, key, deadline } = question
  const { clock } = places
  let isDoubtful = false
  for (let failures = 1; ; failures++) {
    const asked = await askOnce(places, brokers, question)
    isDoubtful ||= asked.isDoubtful
    const isLate = clock.monotonic() + pauseMs(failures) > deadline
    if (isLate || !mayAskAgain(asked, question.isHarmless)) return { ...asked, isDoubtful }
    if (asked.outcome === 'unanswered' || needsCoordinator(asked.code)) places.forgetCoordinator(kind, key)
    await new Promise<void>((resolve) => clock.after(pauseMs(failures), resolve))
  }
}

async function askOnce<R>(
  places: CoordinatorPlaces,
  brokers: Brokers,
  { kind, key, request, codeOf, deadline }: Question<R>,
): Promise<Asked<R>> {
  let isSending = false
  try {
    const node = await places.coordinator(kind, key)
    // Finding it may take longer than there is time.
    if (places.clock.monotonic() > deadline)
      throw new ClusterError('CONNECTION_FAILED', `${request.apiName}: too late`)
    isSending = true
    const answer = await brokers.send(node, request)
    const code = codeOf(answer)
    return { outcome: 'answered', answer, code, isDoubtful: mayPass(code) && !isRefusedUnseen(code) }
  } catch (error) {
    const isDoubtful = isSending && (!isClusterError(error) || error.code === 'OUTCOME_UNKNOWN')
    return { outcome: 'unanswered', error: error as Error, isDoubtful }
  }
}

function mayAskAgain<R>(asked: Asked<R>, isHarmless: boolean): boolean {
  if (asked.outcome === 'answered') return mayPass(asked.code)
  // Wrong credentials stay wrong; a broker that is away comes back.
  if (isClusterError(asked.error, 'OUTCOME_UNKNOWN')) return isHarmless
  return isClusterError(asked.error, 'CONNECTION_FAILED')
}

function pauseMs(failures: number): number {
  return Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), LONGEST_PAUSE_MS)
}

/** Any other coordinator that asks for patience may have begun to do what it was asked. */
function isRefusedUnseen(code: number): boolean {
  return code === NOT_COORDINATOR || code === COORDINATOR_LOAD_IN_PROGRESS || code === CONCURRENT_TRANSACTIONS
}
