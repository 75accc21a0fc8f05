/** Where a schema registry is and who asks it. */
import { isIP } from 'node:net'
import { RegistryError } from './errors.ts'

export interface RegistryAddress {
  /** Root of the Confluent REST API, e.g. `https://registry:8081` or `http://localhost:8080/apis/ccompat/v7`. */
  readonly url: string
  /** HTTP basic authentication; over plain HTTP only to this machine. */
  readonly auth?: { readonly username: string; readonly password: string } | undefined
}

/** Throws `REGISTRY_ADDRESS`; its detail never shows what may be a secret. */
export function parseAddress({ url, auth }: RegistryAddress): URL {
  const parsed = URL.parse(url)
  if (parsed === null || !['http:', 'https:'].includes(parsed.protocol))
    throw new RegistryError('REGISTRY_ADDRESS', 'it is no http or https URL')
  if (parsed.username !== '' || parsed.password !== '')
    throw new RegistryError('REGISTRY_ADDRESS', 'user and password do not belong into the URL')
  if (parsed.search !== '' || parsed.hash !== '')
    throw new RegistryError('REGISTRY_ADDRESS', `${parsed.origin}${parsed.pathname} goes on with ? or #`)
  if (auth !== undefined && parsed.protocol === 'http:' && !isLoopback(parsed.hostname))
    throw new RegistryError('REGISTRY_ADDRESS', `a password is sent to ${parsed.host} over https only`)
  return parsed
}

function isLoopback(hostname: string): boolean {
  if (hostname === 'localhost' || hostname.endsWith('.localhost')) return true
  return isIP(hostname) === 4 ? hostname.startsWith('127.') : hostname === '[::1]'
}
