/**
 * Cost of a decision with many claims stored against few, all issued; then memory and the time to open that state.
 * First argument: claims stored in the end.
 */
import { openEmbeddedLog } from '../../transports/embedded/index.ts'
import { decideAll, openIssuance, publishCampaign } from '../coupon-load.ts'
import { directoryMiB, inFreshDirectory, measured, report, round, smoke } from '../harness.ts'

const stored = smoke ? 40_000 : Number(process.argv[2])
const few = smoke ? 2_000 : 10_000
const sample = smoke ? 10_000 : 200_000
const step = smoke ? 10_000 : 500_000

await inFreshDirectory(async (directory) => {
  const open = () => openEmbeddedLog({ directory, application: 'bench' })
  let log = await open()
  let streams = await openIssuance(log)
  await publishCampaign(log, stored + sample)
  streams.run()
  const users = stored * 10
  const decide = async (from: number, to: number): Promise<void> => {
    const decided = await decideAll(log, streams, from, to, users)
    await decided()
  }
  /** Requests wait in the log, then the engine starts: appends are not part of what is measured. */
  const sampled = async (from: number): Promise<number> => {
    await streams.close()
    streams = await openIssuance(log)
    // A start goes on at once; its filters of absent keys are learnt beside the work. Here they are waited for.
    for (const task of streams.runner('coupon-issuance').tasks) await task.state.learnKeys()
    const decided = await decideAll(log, streams, from, from + sample, users)
    const { seconds } = await measured(() => {
      streams.run()
      return decided()
    })
    return (seconds / sample) * 1e6
  }
  await decide(0, few)
  const costFew = await sampled(few)
  for (let at = few + sample; at < stored - sample; at += step)
    await decide(at, Math.min(stored - sample, at + step))
  const costMany = await sampled(stored - sample)
  const residentMiB = Math.round(process.memoryUsage.rss() / 1024 / 1024)
  await streams.close()
  await log.close()
  const opening = await measured(async () => {
    log = await open()
    streams = await openIssuance(log)
  })
  report({
    claims: stored,
    'µs per decision at few': round(costFew),
    'µs per decision at many': round(costMany),
    ratio: round(costMany / costFew),
    'resident MiB': residentMiB,
    'directory MiB': await directoryMiB(directory),
    'open s': round(opening.seconds),
  })
  await streams.close()
  await log.close()
})
