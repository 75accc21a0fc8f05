/** The outside world: a schema registry. */
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
