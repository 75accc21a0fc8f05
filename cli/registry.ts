/** The schema registry of a configuration. */
import type { Config } from '../config/index.ts'
import { isRegistryError, type RegistryAddress, RegistryClient } from '../connectors/index.ts'
import { UsageError } from './errors.ts'

/** Where it is and who asks it; undefined: there is none. Throws a `UsageError` for half a login. */
export function registryAddress({ registry }: Config): RegistryAddress | undefined {
  const { url, username, password } = registry
  if (url === undefined) return undefined
  if (username === undefined && password === undefined) return { url }
  if (username === undefined || password === undefined)
    throw new UsageError('registry.username and registry.password need each other')
  return { url, auth: { username, password: password.reveal() } }
}

/** A client that the caller closes. Throws a `UsageError` for a registry that is missing or cannot be one. */
export function registryClient(config: Config): RegistryClient {
  const address = registryAddress(config)
  if (address === undefined) throw new UsageError('no registry: give --registry, or set registry.url')
  try {
    return new RegistryClient(address)
  } catch (error) {
    if (!isRegistryError(error, 'REGISTRY_ADDRESS')) throw error
    throw new UsageError(`registry.url: ${error.detail}`)
  }
}
