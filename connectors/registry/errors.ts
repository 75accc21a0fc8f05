/** The closed table of what a schema registry can answer that is no answer, and who must react. */
import type { Reaction } from '../../streams/index.ts'

const table = {
  REGISTRY_ADDRESS: { reaction: 'stop', message: 'The address of the schema registry is wrong' },
  REGISTRY_UNAVAILABLE: { reaction: 'retry', message: 'The schema registry gives no answer' },
  REGISTRY_DENIED: { reaction: 'stop', message: 'The schema registry denies access' },
  SCHEMA_UNREGISTERED: { reaction: 'stop', message: 'Schemas are not registered' },
  SCHEMA_INCOMPATIBLE: { reaction: 'stop', message: 'The schema registry refuses an incompatible schema' },
  SCHEMA_REJECTED: { reaction: 'stop', message: 'The schema registry takes the schema for invalid' },
} as const satisfies Record<string, { reaction: Reaction; message: string }>

export type RegistryErrorCode = keyof typeof table

export const registryErrorTable: Readonly<
  Record<RegistryErrorCode, { reaction: Reaction; message: string }>
> = table

/** The one error class of the registry. `code` is stable; `detail` says what exactly, for people, without secrets. */
export class RegistryError extends Error {
  override readonly name = 'RegistryError'
  readonly code: RegistryErrorCode
  readonly detail: string

  constructor(code: RegistryErrorCode, detail: string, options?: ErrorOptions) {
    super(`${table[code].message}: ${detail}`, options)
    this.code = code
    this.detail = detail
  }

  get reaction(): Reaction {
    return table[this.code].reaction
  }
}

export function isRegistryError(error: unknown, code?: RegistryErrorCode): error is RegistryError {
  return error instanceof RegistryError && (code === undefined || error.code === code)
}
