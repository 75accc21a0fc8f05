/**
 * The closed table of what can go wrong between this process and a Kafka cluster, and who must react. The reactions
 * are those of the engine's own table.
 *
 * What a broker answers is not here: `KafkaError` in `protocol/errors.ts` carries its code. Only a refusal for want of
 * rights is, because it must name what the rights are missing for.
 */
import { kafkaErrorName, KafkaError } from './protocol/errors.ts'

const table = {
  CONNECTION_FAILED: { reaction: 'retry', message: 'The request was not sent' },
  OUTCOME_UNKNOWN: { reaction: 'restore', message: 'The request was sent, and no answer came' },
  AUTHENTICATION_FAILED: { reaction: 'stop', message: 'The broker refused the credentials' },
  TLS_FAILED: { reaction: 'stop', message: 'There is no trusted TLS connection' },
  PASSWORD_EXPOSED: { reaction: 'stop', message: 'The credentials would cross the network in the clear' },
  BROKER_UNSUPPORTED: { reaction: 'stop', message: 'The broker is no Kafka 3.9 or newer' },
  WRONG_CLUSTER: { reaction: 'stop', message: 'The broker belongs to another cluster' },
  CLIENT_UNSOUND: { reaction: 'stop', message: 'This client failed its self-test' },
  ACCESS_DENIED: { reaction: 'drop-task', message: 'The cluster does not allow it' },
} as const satisfies Record<string, { reaction: 'retry' | 'restore' | 'drop-task' | 'stop'; message: string }>

export type ClusterErrorCode = keyof typeof table
export type ClusterReaction = (typeof table)[ClusterErrorCode]['reaction']

export const clusterErrorTable: Readonly<
  Record<ClusterErrorCode, { reaction: ClusterReaction; message: string }>
> = table

/**
 * `CONNECTION_FAILED` means that nothing happened; `OUTCOME_UNKNOWN` that the request may have been carried out, now or
 * later. `code` is stable; `detail` says what exactly, for people.
 */
export class ClusterError extends Error {
  override readonly name = 'ClusterError'
  readonly code: ClusterErrorCode
  readonly detail: string

  constructor(code: ClusterErrorCode, detail: string, options?: { cause?: unknown }) {
    super(`${table[code].message}: ${detail}`, options)
    this.code = code
    this.detail = detail
  }

  get reaction(): ClusterReaction {
    return table[this.code].reaction
  }
}

export function isClusterError(error: unknown, code?: ClusterErrorCode): error is ClusterError {
  return error instanceof ClusterError && (code === undefined || error.code === code)
}

const TOPIC_AUTHORIZATION_FAILED = 29
const GROUP_AUTHORIZATION_FAILED = 30
const CLUSTER_AUTHORIZATION_FAILED = 31
const TRANSACTIONAL_ID_AUTHORIZATION_FAILED = 53

/** What a request was about, as the operator knows it. */
export interface Resource {
  readonly kind: 'topic' | 'group' | 'transactional id' | 'cluster'
  /** Empty for the cluster. */
  readonly name: string
}

/** The error for a code other than 0, naming the resource: `ACCESS_DENIED` where rights are missing, else `KafkaError`. */
export function refusal(
  api: string,
  code: number,
  { kind, name }: Resource,
  brokersWords?: string | null,
): Error {
  const what = name === '' ? `the ${kind}` : `${kind} ${name}`
  switch (code) {
    case TOPIC_AUTHORIZATION_FAILED:
    case GROUP_AUTHORIZATION_FAILED:
    case CLUSTER_AUTHORIZATION_FAILED:
    case TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
      return new ClusterError('ACCESS_DENIED', `${api} of ${what} (${kafkaErrorName(code)})`)
    default:
      return new KafkaError(api, code, brokersWords ? `${what}: ${brokersWords}` : what)
  }
}
