/** What all watchers of the sentinel have in common. */
import type { SentinelRules } from '../processors/index.ts'
import { type IncidentState, incidentStateSchema, stateSerde } from '../schemas/index.ts'
import { keyValueStore } from '../state/index.ts'

export interface SentinelOptions {
  /** Whether an incident asks its campaign to pause; not unless told. */
  readonly pauseCampaigns?: boolean
  /** Of users and requestIds one in so many is watched for I2, I4, I10 and I21, 1 for all; 16 unless told. */
  readonly watchOneIn?: number
  /** Wall time without a further occurrence after which an incident is resolved, milliseconds; a day unless told. */
  readonly resolveAfterMs?: number
}

const DAY_MS = 86_400_000

/** Throws a `RangeError` for options that cannot be. */
export function sentinelRules(options: SentinelOptions): SentinelRules {
  const { pauseCampaigns = false, watchOneIn = 16, resolveAfterMs = DAY_MS } = options
  if (!Number.isSafeInteger(watchOneIn) || watchOneIn < 1)
    throw new RangeError(`watchOneIn ${watchOneIn} is not 1 or more`)
  if (!Number.isSafeInteger(resolveAfterMs) || resolveAfterMs < 1)
    throw new RangeError(`resolveAfterMs ${resolveAfterMs} is no duration`)
  return Object.freeze({ pauseCampaigns, watchOneIn, resolveAfterMs })
}

/** A null is no fact, and a time that cannot be is nobody's business here. */
export const watchedSource = { onUndecodable: 'skip', onBadTimestamp: 'accept' } as const

export function incidentStore(name: string) {
  return keyValueStore<IncidentState>({
    name,
    value: stateSerde(incidentStateSchema),
    version: incidentStateSchema.version,
  })
}
