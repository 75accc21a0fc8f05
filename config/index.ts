/** Options of a process: read once at the edge, checked, frozen. */
export type { Role, TokenGrant } from './checks.ts'
export { ConfigError, type ConfigProblem } from './errors.ts'
export { type ConfigKey, configKeys } from './keys.ts'
export {
  type Config,
  type ConfigInput,
  loadConfig,
  type LoadedConfig,
  type ShownKey,
  type TopicOverride,
} from './load.ts'
export { nearest } from './nearest.ts'
export { Secret } from './secret.ts'
