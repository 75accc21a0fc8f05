/** Where PostgreSQL's programs are, and who may run them: the server refuses root. */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Where Debian puts each version. */
const DEBIAN = '/usr/lib/postgresql'

export interface Runner {
  readonly uid: number
  readonly gid: number
}

/** The folder of `initdb` and `postgres`, the newest version first. Throws where there is none: nothing is skipped. */
export function postgresBinaries(): string {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).toSorted((a, b) => Number(b) - Number(a)) : []
  const folders = [
    ...versions.map((version) => join(DEBIAN, version, 'bin')),
    ...(process.env['PATH'] ?? '').split(delimiter),
  ]
  const found = folders.find((folder) => existsSync(join(folder, 'initdb')))
  if (found === undefined) throw new Error('there is no PostgreSQL: apt-get install postgresql')
  return found
}

/** Whom the server runs as; nothing: as whoever runs the test. */
export function postgresRunner(): Runner | undefined {
  if (process.getuid?.() !== 0) return undefined
  const id = (flag: string): number =>
    Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }).trim())
  return { uid: id('-u'), gid: id('-g') }
}
