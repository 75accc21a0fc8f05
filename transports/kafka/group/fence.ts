/**
 * Ends the open transactions of producers that are gone, so that nobody waits for their timeout.
 *
 * Two use it: a start, against the older incarnations of its own slot, and the group's leader, before it hands out
 * assignments, against every producer of the topology that belongs to no member. To fence is to initialise the
 * producer's id: the broker aborts what is open, and refuses whatever the old process still sends.
 *
 * Never fenced: an id that is Empty or complete, which may be a process about to join; an id of another application or
 * topology; a newer incarnation of a member's slot than the one it told of, which is the same place started again.
 *
 * Not needed for safety (a commit names its generation), only for speed: what cannot be fenced in time is left to its
 * transaction timeout.
 */
import type { Clock } from '../../../streams/index.ts'
import { CONCURRENT_TRANSACTIONS, NONE, retriable } from '../protocol/errors.ts'
import type { KafkaRequest } from '../protocol/request.ts'
import { listTransactions } from '../protocol/transaction-list.ts'
import { initProducerId, NO_PRODUCER } from '../protocol/transactions.ts'
import { parseTransactionalId, type ProducerFamily, type ProducerName } from './transactional-ids.ts'

/** Milliseconds between tries while a broker still ends the transaction before. */
const RETRY_MS = 3
/** Milliseconds after which a fence gives up. */
const FENCE_LIMIT_MS = 5_000
/** Given to InitProducerId; the fenced id never opens a transaction. Milliseconds. */
const FENCED_TIMEOUT_MS = 10_000
/** States in which a transaction holds others up. */
const OPEN_STATES: ReadonlySet<string> = new Set([
  'Ongoing',
  'PrepareCommit',
  'PrepareAbort',
  'PrepareEpochFence',
])

/** What the fence needs of the cluster. */
export interface FenceBrokers {
  readonly clock: Clock
  brokers(): readonly number[]
  coordinator(kind: 'transaction', key: string): Promise<number>
  forgetCoordinator(kind: 'transaction', key: string): void
  send<R>(node: number, request: KafkaRequest<R>): Promise<R>
}

export interface ListedProducer extends ProducerName {
  readonly id: string
  /** Has a transaction open. */
  readonly open: boolean
}

/** Every producer of the family that the brokers know, of all slots and incarnations. Brokers that are down are left out. */
export async function listProducers(
  brokers: FenceBrokers,
  family: ProducerFamily,
): Promise<readonly ListedProducer[]> {
  const answers = await Promise.allSettled(
    brokers.brokers().map((node) => brokers.send(node, listTransactions({ states: [], producerIds: [] }))),
  )
  return answers.flatMap((answer) => {
    if (answer.status === 'rejected') return []
    return answer.value.transactions.flatMap(({ transactionalId, state }) => {
      const name = parseTransactionalId(family, transactionalId)
      return name === undefined ? [] : [{ ...name, id: transactionalId, open: OPEN_STATES.has(state) }]
    })
  })
}

/** Those that have something open and belong to no live member. */
export function deadProducers(
  listed: readonly ListedProducer[],
  live: readonly ProducerName[],
): readonly ListedProducer[] {
  return listed.filter(({ slot, incarnation, open }) => {
    return open && !live.some((member) => member.slot === slot && incarnation >= member.incarnation)
  })
}

/** Resolves when each is fenced, or cannot be in time; answers the ids that are. */
export async function fence(brokers: FenceBrokers, ids: readonly string[]): Promise<readonly string[]> {
  const until = brokers.clock.monotonic() + FENCE_LIMIT_MS
  const fenced = await Promise.all(ids.map((id) => fenceOne(brokers, id, until)))
  return ids.filter((_id, index) => fenced[index])
}

async function fenceOne(brokers: FenceBrokers, transactionalId: string, until: number): Promise<boolean> {
  const request = initProducerId({
    transactionalId,
    transactionTimeoutMs: FENCED_TIMEOUT_MS,
    producer: NO_PRODUCER,
  })
  while (brokers.clock.monotonic() < until) {
    try {
      const node = await brokers.coordinator('transaction', transactionalId)
      const { errorCode } = await brokers.send(node, request)
      if (errorCode === NONE) return true
      if (errorCode !== CONCURRENT_TRANSACTIONS) {
        if (!retriable(errorCode)) return false
        brokers.forgetCoordinator('transaction', transactionalId)
      }
    } catch {
      brokers.forgetCoordinator('transaction', transactionalId)
    }
    await new Promise<void>((resolve) => brokers.clock.after(RETRY_MS, resolve))
  }
  return false
}
