/** What connectors are written with, and what runs them. Published as `millrace/connectors`. */
export type { BreakerState } from './breaker.ts'
export {
  type Batch,
  type Connector,
  type ConnectorTask,
  type Delivered,
  type DeliveryPolicy,
  type Incoming,
  type Produced,
  type Rejected,
  type Target,
  Unavailable,
} from './connector.ts'
export {
  ConnectorRunner,
  type ConnectorRunnerOptions,
  type ConnectorState,
  type ConnectorTaskView,
  type ConnectorView,
  groupOf,
} from './connector-runner.ts'
export type { ConnectorLag } from './connector-task.ts'
export { consumerOf } from './consumer.ts'
export { eachRecord, type EachRecordOptions, type RecordOutcome } from './each-record.ts'
export { type ConnectorHooks, type FailureKind, noConnectorHooks } from './hooks.ts'
export { defaultDelivery } from './policy.ts'
export { connectorTopics } from './topics.ts'
