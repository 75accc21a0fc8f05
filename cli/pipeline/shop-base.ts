/** What everything in a running shop is put together from. */
import type { Config } from '../../config/index.ts'
import type { CompiledProfile } from '../../connectors/index.ts'
import type { Topics } from '../../schemas/index.ts'
import type { Clock } from '../../streams/index.ts'
import type { Telemetry } from '../../telemetry/index.ts'
import type { ShopLog } from './shop-log.ts'
import type { ShopTopologies } from './topologies.ts'
import type { Sealing } from './user-port.ts'

export interface ShopBase {
  readonly config: Config
  readonly topologies: ShopTopologies
  readonly topics: Topics
  readonly profiles: readonly CompiledProfile[]
  readonly shopLog: ShopLog
  readonly sealing: Sealing
  readonly telemetry: Telemetry
  readonly clock: Clock
}
