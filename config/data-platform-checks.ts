/** What must hold between the keys of the data platform, and between those of the outbox. */
import type { ConfigProblem } from './errors.ts'
import type { ConfigValues } from './schema.ts'

const WHERE = 'postgres://user:password@host:port/database'

/** PGlite's directory can be open in one process only; a server has to be named. */
export function dataPlatformIsWhole(
  { dataPlatform: { target, url, tlsCaFile, tls }, kafka }: ConfigValues,
  origin: (path: string) => string,
): ConfigProblem[] {
  const problems: ConfigProblem[] = []
  const refuse = (key: string, message: string): void => {
    problems.push({ key: `dataPlatform.${key}`, origin: origin(`dataPlatform.${key}`), message })
  }
  if (target === 'pglite' && kafka.brokers.length > 0)
    refuse('target', 'pglite is for one process; in Kafka mode give postgres and dataPlatform.url')
  if (target === 'postgres' && url === undefined) refuse('url', `must be given: ${WHERE}`)
  return [...problems, ...serverIsWhole('dataPlatform', { url, tls, tlsCaFile }, origin)]
}

export function outboxIsWhole({ outbox }: ConfigValues, origin: (path: string) => string): ConfigProblem[] {
  return serverIsWhole('outbox', outbox, origin)
}

interface Server {
  readonly url?: string | undefined
  readonly tls: boolean
  readonly tlsCaFile?: string | undefined
}

function serverIsWhole(
  name: 'dataPlatform' | 'outbox',
  { url, tls, tlsCaFile }: Server,
  origin: (path: string) => string,
): ConfigProblem[] {
  const problem = (key: string, message: string): ConfigProblem => {
    return { key: `${name}.${key}`, origin: origin(`${name}.${key}`), message }
  }
  return [
    ...(url === undefined || isPostgresUrl(url)
      ? []
      : [problem('url', `must be ${WHERE}, without parameters`)]),
    ...(tlsCaFile === undefined || tls ? [] : [problem('tlsCaFile', `is for ${name}.tls, which is off`)]),
  ]
}

/** Parameters would say again, and otherwise, what keys of their own say. */
function isPostgresUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, hostname, pathname, search } = new URL(text)
  return /^postgres(ql)?:$/.test(protocol) && hostname !== '' && /^\/[^/]+$/.test(pathname) && search === ''
}
