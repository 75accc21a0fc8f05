/**
 * One hot coupon drained from the log: decode, look-ups, decision, encoding, synced commits. All requests are in the
 * log before the engine starts. First argument: share of the requests that the quota covers, in percent.
 */
import { openEmbeddedLog } from '../../transports/embedded/index.ts'
import { decideAll, openIssuance, publishCampaign } from '../coupon-load.ts'
import { inFreshDirectory, measured, report, round, smoke } from '../harness.ts'

const requests = smoke ? 20_000 : 1_000_000
const issuedPercent = Number(process.argv[2])

await inFreshDirectory(async (directory) => {
  const log = await openEmbeddedLog({ directory, application: 'bench' })
  const streams = await openIssuance(log)
  await publishCampaign(log, (requests * issuedPercent) / 100)
  const decided = await decideAll(log, streams, 0, requests, requests)
  const { seconds, cpuSeconds, residentMiB } = await measured(() => {
    streams.run()
    return decided()
  })
  report({
    'decisions/s': Math.round(requests / seconds),
    'CPU s per million': round((cpuSeconds / requests) * 1e6),
    'resident MiB': residentMiB,
  })
  await streams.close()
  await log.close()
})
