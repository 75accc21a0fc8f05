/**
 * What a log on a cluster needs of the machine: connections to brokers, and time. Sockets and system clocks in a process
 * (`open-kafka-log.ts`), a model of both in the simulator.
 */
import type { Clock } from '../../streams/index.ts'
import type { KafkaRequest } from './protocol/request.ts'

export interface Network {
  readonly clock: Clock
  /** Connections to all brokers that carry nothing else. `purpose` becomes part of the client id. */
  connections(purpose: string): BrokerConnections
}

export interface BrokerConnections {
  /**
   * Requests to one broker are written in the order of the calls, without waiting for each other's answers.
   *
   * Throws `CONNECTION_FAILED`: nothing was sent; `OUTCOME_UNKNOWN`: the request may have been carried out, or still
   * will be; `AUTHENTICATION_FAILED`, `TLS_FAILED`, `PASSWORD_EXPOSED`: nothing was sent, and nothing will be.
   */
  send<R>(node: number, request: KafkaRequest<R>): Promise<R>
  /**
   * Asks one broker after the other until one answers: only for requests that may be carried out more than once.
   * Throws what `send` throws; the most telling when each broker failed in another way.
   */
  sendToAny<R>(request: KafkaRequest<R>): Promise<R>
  /** Addresses as metadata says; a broker that moved loses its connection. */
  know(brokers: readonly { readonly nodeId: number; readonly host: string; readonly port: number }[]): void
  /** Requests that wait are rejected as if the brokers had gone. Idempotent. */
  close(): Promise<void>
}
