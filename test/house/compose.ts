/** The compose files and the image as data. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'

export const ROOT = join(import.meta.dirname, '../..')

type Condition = 'service_started' | 'service_healthy' | 'service_completed_successfully'

export interface Service {
  readonly image: string
  readonly build?: string
  readonly command?: readonly string[]
  readonly restart: string
  readonly environment?: Readonly<Record<string, string>>
  readonly volumes?: readonly string[]
  readonly ports?: readonly string[]
  readonly secrets?: readonly string[]
  readonly networks?: readonly string[]
  readonly cap_drop?: readonly string[]
  readonly security_opt?: readonly string[]
  readonly healthcheck?: { readonly test?: readonly string[]; readonly disable?: boolean }
  readonly depends_on?: Readonly<Record<string, { readonly condition: Condition }>>
}

export interface Compose {
  readonly name: string
  readonly services: Readonly<Record<string, Service>>
  readonly networks?: Readonly<Record<string, unknown>>
  readonly volumes: Readonly<Record<string, unknown>>
  readonly secrets: Readonly<Record<string, { readonly file: string }>>
}

export function readCompose(file: string): Compose {
  return parse(readFileSync(join(ROOT, file), 'utf8'), { merge: true }) as Compose
}

/** The instructions of the Dockerfile that the tests ask about. */
export interface Image {
  readonly environment: Readonly<Record<string, string>>
  readonly hasHealthcheck: boolean
  readonly user: string
  readonly volume: string
  readonly bases: readonly string[]
}

export function readImage(): Image {
  const lines = readFileSync(join(ROOT, 'Dockerfile'), 'utf8')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
  const all = (name: string): string[] => {
    return lines
      .filter((line) => line.startsWith(`${name} `))
      .map((line) => line.slice(name.length + 1).trim())
  }
  const pairs = all('ENV').flatMap((text) => text.split(/\s+/).map((pair) => pair.split('=')))
  return {
    environment: Object.fromEntries(pairs) as Record<string, string>,
    hasHealthcheck: all('HEALTHCHECK').length === 1,
    user: all('USER').at(-1) ?? 'root',
    volume: all('VOLUME').at(-1) ?? '',
    bases: all('FROM').map((text) => text.split(' ')[0] as string),
  }
}
