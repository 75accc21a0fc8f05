/** Kinds of values that more than one section has. Units are last in the names. */
import Type from 'typebox'

export const SECOND_MS = 1000
export const MINUTE_MS = 60 * SECOND_MS
export const HOUR_MS = 3600 * SECOND_MS
export const DAY_MS = 24 * HOUR_MS
export const MEBIBYTE = 1024 * 1024
/** Largest that a timer or a date can be counted with. */
export const MAX_MS = 1000 * 365 * DAY_MS

/** Names that become part of topics, directories and metrics. */
export const namePattern = '^[A-Za-z0-9._-]{1,249}$'

export const section = { additionalProperties: false } as const

export function milliseconds(env: string, value: number, description: string, minimum = 1) {
  return Type.Integer({ minimum, maximum: MAX_MS, default: value, env, description })
}

export function bytes(env: string, value: number, description: string, minimum = 1024) {
  return Type.Integer({ minimum, maximum: Number.MAX_SAFE_INTEGER, default: value, env, description })
}

/** Milliseconds or bytes of which there can be no end. */
export function limitOrNone(
  env: string,
  value: number | 'unlimited',
  description: string,
  maximum = Number.MAX_SAFE_INTEGER,
) {
  const limit = Type.Integer({ minimum: 1, maximum })
  return Type.Union([limit, Type.Literal('unlimited')], { default: value, env, description })
}

export function secret(env: string, description: string) {
  const expected = '16 to 4096 visible ASCII characters'
  return Type.Optional(
    Type.String({ pattern: '^[\\x21-\\x7e]{16,4096}$', secret: true, expected, env, description }),
  )
}

/** Like a secret, but of whatever strength others gave it. */
export function password(env: string, description: string) {
  return Type.Optional(
    Type.String({ minLength: 1, maxLength: 4096, secret: true, expected: 'a password', env, description }),
  )
}

export function filePath(env: string, description: string) {
  return Type.Optional(Type.String({ minLength: 1, path: true, env, description }))
}

/** Names, in an environment variable also separated by commas. */
export function nameList(env: string, value: readonly string[], description: string) {
  const name = Type.String({ pattern: namePattern })
  return Type.Array(name, { default: [...value], list: true, env, description, expected: 'a list of names' })
}

export function addressList(env: string, description: string) {
  const address = Type.String({ pattern: '^[^\\s,/]+:\\d{1,5}$', expected: 'host:port' })
  return Type.Array(address, { default: [], list: true, env, description, expected: 'a list of host:port' })
}
