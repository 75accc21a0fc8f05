/** The configuration of a command: its flags over the environment over the file over the defaults. */
import { loadConfig, type LoadedConfig } from '../config/index.ts'
import type { Context } from './context.ts'
import { UsageError } from './errors.ts'
import type { ConfigFlags } from './flags.ts'

/** Keys that have a flag of their own. */
const FLAGS = {
  dataDir: ['dataDir', '--data-dir'],
  host: ['http.host', '--host'],
  port: ['http.port', '--port'],
  logLevel: ['logging.level', '--log-level'],
  kafka: ['kafka.brokers', '--kafka'],
  registry: ['registry.url', '--registry'],
  topologies: ['topologies', '--topologies'],
  workers: ['workers', '--workers'],
} as const

/** Throws a `ConfigError`, or a `UsageError` for a `--set` without `=`. */
export function configure(context: Context, flags: ConfigFlags): LoadedConfig {
  const given: Record<string, { text: string; flag: string }> = {}
  for (const one of flags.set ?? []) {
    const at = one.indexOf('=')
    if (at < 1)
      throw new UsageError(`--set ${one}: write --set <key>=<value>, for example --set ranking.graceMs=0`)
    given[one.slice(0, at)] = { text: one.slice(at + 1), flag: '--set' }
  }
  for (const name of Object.keys(FLAGS) as (keyof typeof FLAGS)[]) {
    const text = flags[name]
    const [key, flag] = FLAGS[name]
    if (text !== undefined) given[key] = { text, flag }
  }
  return loadConfig({ env: context.env, cwd: context.cwd, file: flags.config, flags: given })
}
