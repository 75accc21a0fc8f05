/**
 * What a data directory remembers of how it was made. A directory of orders as they were recorded, years ago, must keep
 * every window and close them by the orders' own times, in every later process too.
 */
import type { Config } from '../../config/index.ts'
import type { EmbeddedLog } from '../../transports/embedded/index.ts'

const SETTING = 'cli.mode'
const AS_RECORDED = 'as-recorded'

export type DirectoryMode = 'live' | 'as-recorded'

/** The mode of the directory; a fresh one has none yet. */
export async function directoryMode(log: EmbeddedLog): Promise<DirectoryMode | undefined> {
  const mode = await log.setting(SETTING)
  return mode === AS_RECORDED || mode === 'live' ? mode : undefined
}

export function rememberMode(log: EmbeddedLog, mode: DirectoryMode): Promise<void> {
  return log.putSetting(SETTING, mode)
}

/** The configuration as the directory's mode changes it. */
export function configFor(mode: DirectoryMode, config: Config): Config {
  if (mode === 'live') return config
  const { topics, ranking } = config
  return {
    ...config,
    ranking: { ...ranking, closing: 'streamTime', retentionMs: Number.POSITIVE_INFINITY },
    topics: {
      ...topics,
      retentionMs: Number.POSITIVE_INFINITY,
      retentionBytes: Number.POSITIVE_INFINITY,
      overrides: Object.fromEntries(
        Object.entries(topics.overrides).map(([name, { partitions }]) => {
          return [name, partitions === undefined ? {} : { partitions }]
        }),
      ),
    },
  }
}
