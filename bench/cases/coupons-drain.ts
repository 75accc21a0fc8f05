/**
 * One hot coupon drained from the log: decode, look-ups, decision, encoding, synced commits. All requests are in the
 * log before the engine starts. First argument: share of the requests that the quota covers, in percent. Second:
 * `watched`, with the sentinel in the same process.
 */
import { openEmbeddedLog } from '../../transports/embedded/index.ts'
import { sentinel } from '../../topologies/index.ts'
import { allWatched, decideAll, openIssuance, publishCampaign } from '../coupon-load.ts'
import { inFreshDirectory, measured, report, round, smoke } from '../harness.ts'

const requests = smoke ? 20_000 : 1_000_000
const issuedPercent = Number(process.argv[2])
const watched = process.argv.includes('watched')

await inFreshDirectory(async (directory) => {
  const log = await openEmbeddedLog({ directory, application: 'bench' })
  const streams = await openIssuance(log, watched ? [sentinel()] : [])
  await publishCampaign(log, (requests * issuedPercent) / 100)
  const decided = await decideAll(log, streams, 0, requests, requests)
  const begin = performance.now()
  let decidedMs = 0
  const { seconds, cpuSeconds, residentMiB } = await measured(async () => {
    streams.run()
    await decided()
    decidedMs = performance.now() - begin
    if (watched) await allWatched(log, streams)
  })
  report({
    'decisions/s': Math.round((requests / decidedMs) * 1_000),
    ...(watched ? { 'decisions/s, all watched': Math.round(requests / seconds) } : {}),
    'CPU s per million': round((cpuSeconds / requests) * 1e6),
    'resident MiB': residentMiB,
  })
  await streams.close()
  await log.close()
})
