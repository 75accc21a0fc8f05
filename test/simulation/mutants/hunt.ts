/** One defect, hunted: seeds from 1 on until one notices it. Tells its parent which, or that none did. */
import { simulate } from '../../../testing/index.ts'
import { APPS, appNameOf } from '../apps.ts'
import { DEFECTS } from './defects.ts'

const defect = DEFECTS.find(({ name }) => name === process.env['MUTANT'])
if (defect === undefined) throw new RangeError(`no defect ${process.env['MUTANT']}`)
Error.stackTraceLimit = 0

for (let seed = 1; seed <= defect.within; seed++) {
  const make = APPS[defect.app ?? appNameOf(seed)]
  if (make === undefined) throw new RangeError(`no app ${defect.app}`)
  const complaints = await simulate({ app: make(), seed }).then(
    (result) => result.complaints,
    (error: unknown) => [`it fails: ${String(error)}`],
  )
  if (complaints[0] === undefined) continue
  process.send?.({ seed, complaint: complaints[0] })
  break
}
process.disconnect?.()
// What a killed run left waits for ever.
process.exit()
