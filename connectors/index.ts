/** The outside world: a schema registry, and connectors to everything else. */
export type { BreakerState } from './frame/breaker.ts'
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
} from './frame/connector.ts'
export {
  ConnectorRunner,
  type ConnectorRunnerOptions,
  type ConnectorState,
  type ConnectorTaskView,
  type ConnectorView,
  groupOf,
} from './frame/connector-runner.ts'
export type { ConnectorLag } from './frame/connector-task.ts'
export { eachRecord, type EachRecordOptions, type RecordOutcome } from './frame/each-record.ts'
export { type ConnectorHooks, type FailureKind, noConnectorHooks } from './frame/hooks.ts'
export { defaultDelivery } from './frame/policy.ts'
export { connectorTopics } from './frame/topics.ts'
export type { RegistryAddress } from './registry/address.ts'
export { checkSubjects, registerSubjects, type SubjectReport, type SubjectState } from './registry/audit.ts'
export { type Compatibility, RegistryClient, type RegistryClientOptions } from './registry/client.ts'
export {
  isRegistryError,
  RegistryError,
  registryErrorTable,
  type RegistryErrorCode,
} from './registry/errors.ts'
export { openRegistrySchemas, RegistrySchemas, type RegistrySchemasOptions } from './registry/schemas.ts'
export { type Subject, subjectOf, subjectsOf, type WrittenTopic } from './registry/subjects.ts'
export {
  type AddressOpener,
  courierConnector,
  type CourierConnectorOptions,
} from './courier/courier-connector.ts'
export { paymentConnector, type PaymentConnectorOptions } from './payment/payment-connector.ts'
export type { ProviderOptions } from './providers/connector.ts'
