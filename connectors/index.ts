/** The outside world: a schema registry, and connectors to everything else. */
export { forgetPositions } from './data-platform/backfill.ts'
export { type BalanceCheck, checkBalances } from './data-platform/balances.ts'
export { DATA_PLATFORM, dataPlatform, type DataPlatformOptions } from './data-platform/connector.ts'
export type { Database, Row } from './data-platform/database.ts'
export { pgliteDatabase } from './data-platform/pglite-database.ts'
export { postgresDatabase, type PostgresOptions } from './data-platform/postgres-database.ts'
export { readRows, type RowRange } from './data-platform/read-rows.ts'
export {
  type DaySums,
  type DayDifference,
  type ComparedRange,
  type Reconciliation,
  reconcile,
} from './data-platform/reconcile.ts'
export { type AnyTable, allTables, type TableName, tableNames, tables } from './data-platform/tables.ts'
export {
  checkTogether,
  type CompiledBinding,
  type CompiledProfile,
  compileProfile,
  type ExternalUse,
} from './bindings/compile.ts'
export { bindingConnector } from './bindings/connector.ts'
export { ProfileError, type ProfileProblem } from './bindings/errors.ts'
export {
  type Asking,
  type Lookup,
  nothingAround,
  type OpenAddress,
  type Surroundings,
} from './bindings/functions.ts'
export { loadProfile } from './bindings/load.ts'
export { type Mapped, mapMessage, type MappedRecord } from './bindings/map.ts'
export { parseExactly } from './bindings/numbers.ts'
export { readSample, type Sample } from './bindings/sample.ts'
export {
  type Binding,
  defineBinding,
  defineProfile,
  type Expression,
  type ExternalTopic,
  type Item,
  type Message,
  type Profile,
  type Write,
} from './bindings/index.ts'
export {
  type Batch,
  type BreakerState,
  type Connector,
  type ConnectorHooks,
  type ConnectorLag,
  ConnectorRunner,
  type ConnectorRunnerOptions,
  type ConnectorState,
  type ConnectorTask,
  type ConnectorTaskView,
  connectorTopics,
  consumerOf,
  type ConnectorView,
  defaultDelivery,
  type Delivered,
  type DeliveryPolicy,
  eachRecord,
  type EachRecordOptions,
  type FailureKind,
  groupOf,
  type Incoming,
  noConnectorHooks,
  type Produced,
  type RecordOutcome,
  type Rejected,
  type Target,
  Unavailable,
} from './frame/index.ts'
export { type OutboxOptions, OutboxReader, type OutboxView } from './outbox/outbox-reader.ts'
export type { PostgresAddress } from './postgres/client-config.ts'
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
export { fileTransport } from './mail/files.ts'
export {
  type Addressee,
  type Addressees,
  mailConnector,
  type MailConnectorOptions,
} from './mail/mail-connector.ts'
export {
  type MailFacts,
  type MailTemplate,
  mailTemplates,
  renderMail,
  type Rendered,
  type RenderOptions,
} from './mail/render.ts'
export { type SmtpOptions, smtpTransport } from './mail/smtp.ts'
export type { MailOutcome, MailTransport, OutgoingMail } from './mail/transport.ts'
export { languageOf, type MailLanguage, mailLanguages } from './mail/words.ts'
export {
  type AddressOpener,
  courierConnector,
  type CourierConnectorOptions,
} from './courier/courier-connector.ts'
export { paymentConnector, type PaymentConnectorOptions } from './payment/payment-connector.ts'
export type { ProviderOptions } from './providers/connector.ts'
