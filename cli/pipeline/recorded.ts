/**
 * A directory of orders as they were recorded, years ago, must keep every window and close them by the orders' own
 * times, in every later process too.
 */
import type { Config } from '../../config/index.ts'

/** What a data directory remembers of how it was made. */
export type DirectoryMode = 'live' | 'as-recorded'

/** The configuration as the directory's mode changes it. */
export function configFor(mode: DirectoryMode, config: Config): Config {
  if (mode === 'live') return config
  const { topics, ranking, mail, notifier } = config
  return {
    ...config,
    // Nobody is told of what happened years ago.
    mail: { ...mail, transport: 'off' },
    notifier: { ...notifier, enabled: false },
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
