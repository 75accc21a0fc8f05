/** What must hold between the keys of the data platform. */
import type { ConfigProblem } from './errors.ts'
import type { ConfigValues } from './schema.ts'

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
  if (target === 'postgres' && url === undefined)
    refuse('url', 'must be given: postgres://user:password@host:port/database')
  if (url !== undefined && !isPostgresUrl(url))
    refuse('url', 'must be postgres://user:password@host:port/database, without parameters')
  if (tlsCaFile !== undefined && !tls) refuse('tlsCaFile', 'is for dataPlatform.tls, which is off')
  return problems
}

/** Parameters would say again, and otherwise, what keys of their own say. */
function isPostgresUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, hostname, pathname, search } = new URL(text)
  return /^postgres(ql)?:$/.test(protocol) && hostname !== '' && /^\/[^/]+$/.test(pathname) && search === ''
}
