/**
 * The coordinator of transactional ids, of both versions of the protocol.
 *
 * | state | next |
 * | --- | --- |
 * | `empty` | the first partition or group joins → `ongoing` |
 * | `ongoing` | EndTxn, InitProducerId, its timeout → `ending` |
 * | `ending` | every marker is written → `empty` |
 *
 * The outcome stands when `ending` begins; markers reach partitions and groups one by one, each after its own while. So
 * positions may be stable while records of the same transaction are not yet visible, and the other way round.
 *
 * Not its job: what a partition or group makes of a marker.
 */
import {
  CONCURRENT_TRANSACTIONS,
  INVALID_PRODUCER_EPOCH,
  INVALID_TXN_STATE,
  NONE,
  type Producer,
  PRODUCER_FENCED,
} from '../../kafka/wire/index.ts'
import type { Outcome } from './partition.ts'

const EPOCH_MAX = 32_767

interface Transaction extends Producer {
  producerId: bigint
  producerEpoch: number
  timeoutMs: number
  state: 'empty' | 'ongoing' | 'ending'
  readonly partitions: Set<string>
  readonly groups: Set<string>
  /** How the one before this ended. */
  ended: Outcome | undefined
  cancelTimeout: () => void
}

/** What the coordinator does with the rest of the cluster. */
export interface TransactionSurroundings {
  /** Calls `run` after `ms`; the answer cancels it. */
  later(ms: number, run: () => void): () => void
  /** Milliseconds until a marker is written. */
  markerDelay(): number
  markPartition(name: string, producerId: bigint, epoch: number, outcome: Outcome): void
  markGroup(group: string, producerId: bigint, outcome: Outcome): void
}

export class TransactionCoordinator {
  readonly #isV2: boolean
  readonly #around: TransactionSurroundings
  readonly #transactions = new Map<string, Transaction>()
  #nextProducerId = 1000n

  constructor(isV2: boolean, around: TransactionSurroundings) {
    this.#isV2 = isV2
    this.#around = around
  }

  /** An id and epoch without transactions, for `id` null. */
  initialise(id: string | null, timeoutMs: number): { readonly errorCode: number } & Producer {
    if (id === null) return { errorCode: NONE, producerId: this.#nextProducerId++, producerEpoch: 0 }
    const known = this.#transactions.get(id)
    if (known === undefined) {
      const made: Transaction = {
        producerId: this.#nextProducerId++,
        producerEpoch: 0,
        timeoutMs,
        state: 'empty',
        partitions: new Set(),
        groups: new Set(),
        ended: undefined,
        cancelTimeout: () => {},
      }
      this.#transactions.set(id, made)
      return { errorCode: NONE, producerId: made.producerId, producerEpoch: 0 }
    }
    if (known.state === 'ongoing') {
      this.#nextEpoch(known)
      this.#end(known, 'aborted')
    }
    if (known.state === 'ending')
      return { errorCode: CONCURRENT_TRANSACTIONS, producerId: -1n, producerEpoch: -1 }
    this.#nextEpoch(known)
    known.timeoutMs = timeoutMs
    known.ended = undefined
    const { producerId, producerEpoch } = known
    return { errorCode: NONE, producerId, producerEpoch }
  }

  /** A partition or group joins the producer's transaction. */
  join(id: string, producer: Producer, kind: 'partitions' | 'groups', name: string): number {
    const found = this.#check(id, producer)
    if (typeof found === 'number') return found
    if (found.state === 'ending') return CONCURRENT_TRANSACTIONS
    if (found.state === 'empty') {
      found.state = 'ongoing'
      found.cancelTimeout = this.#around.later(found.timeoutMs, () => this.#timedOut(found))
    }
    found[kind].add(name)
    return NONE
  }

  /** Whether it may be written to: with the older version it must have been added before. */
  isIn(id: string, producer: Producer, kind: 'partitions' | 'groups', name: string): number {
    const found = this.#check(id, producer)
    if (typeof found === 'number') return found
    return found.state === 'ongoing' && found[kind].has(name) ? NONE : INVALID_TXN_STATE
  }

  end(id: string, producer: Producer, outcome: Outcome): { errorCode: number; next: Producer | undefined } {
    const transaction = this.#transactions.get(id)
    const next = (): Producer | undefined => {
      if (!this.#isV2 || transaction === undefined) return undefined
      return { producerId: transaction.producerId, producerEpoch: transaction.producerEpoch }
    }
    const isRepeated =
      this.#isV2 &&
      transaction?.producerId === producer.producerId &&
      transaction.producerEpoch === producer.producerEpoch + 1 &&
      transaction.ended !== undefined &&
      transaction.state !== 'ongoing'
    if (isRepeated) return { errorCode: transaction.ended === outcome ? NONE : PRODUCER_FENCED, next: next() }
    const found = this.#check(id, producer)
    if (typeof found === 'number') return { errorCode: found, next: undefined }
    if (found.state === 'ending') return { errorCode: CONCURRENT_TRANSACTIONS, next: undefined }
    if (found.state === 'empty') {
      const again = !this.#isV2 && found.ended === outcome
      return { errorCode: again ? NONE : INVALID_TXN_STATE, next: undefined }
    }
    if (this.#isV2) this.#nextEpoch(found)
    this.#end(found, outcome)
    return { errorCode: NONE, next: next() }
  }

  /** The ids that there are, and whether each has something open. */
  list(): { readonly transactionalId: string; readonly producerId: bigint; readonly state: string }[] {
    return [...this.#transactions].map(([transactionalId, { producerId, state, ended }]) => {
      const ending = ended === 'committed' ? 'PrepareCommit' : 'PrepareAbort'
      const shown = { empty: 'Empty', ongoing: 'Ongoing', ending }[state]
      return { transactionalId, producerId, state: shown }
    })
  }

  #check(id: string, { producerId, producerEpoch }: Producer): Transaction | number {
    const found = this.#transactions.get(id)
    const isCurrent = found?.producerId === producerId && found.producerEpoch === producerEpoch
    return found !== undefined && isCurrent ? found : INVALID_PRODUCER_EPOCH
  }

  #timedOut(transaction: Transaction): void {
    if (transaction.state !== 'ongoing') return
    this.#nextEpoch(transaction)
    this.#end(transaction, 'aborted')
  }

  #nextEpoch(transaction: Transaction): void {
    if (transaction.producerEpoch + 1 < EPOCH_MAX) transaction.producerEpoch++
    else {
      transaction.producerId = this.#nextProducerId++
      transaction.producerEpoch = 0
    }
  }

  /** The markers carry the epoch as it is by now: nothing older is written behind them. */
  #end(transaction: Transaction, outcome: Outcome): void {
    const { producerId, producerEpoch, partitions, groups } = transaction
    const around = this.#around
    transaction.cancelTimeout()
    transaction.state = 'ending'
    transaction.ended = outcome
    let left = partitions.size + groups.size
    const marked = (): void => {
      if (--left === 0) transaction.state = 'empty'
    }
    for (const name of partitions) {
      around.later(around.markerDelay(), () => {
        around.markPartition(name, producerId, producerEpoch, outcome)
        marked()
      })
    }
    for (const group of groups) {
      around.later(around.markerDelay(), () => {
        around.markGroup(group, producerId, outcome)
        marked()
      })
    }
    partitions.clear()
    groups.clear()
  }
}
